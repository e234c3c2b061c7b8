// A closed-loop SMTP load generator: a fixed number of sessions, each with one message in hand at a time.
//
// One thread and one epoll loop, so that its own cost is small and the same for every server. Without
// pipelining by default, as most load generators work. After QUIT it half-closes, because some servers wait
// for the client's end of file. Prints one JSON object: rate, percentiles of the time to the 250 that ends a
// message, failures, its own CPU time.

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;

/// What the command line asks for.
struct Plan {
  std::string host = "127.0.0.1";
  std::uint16_t port = 2525;
  std::size_t sessions = 1;
  std::size_t messages = 1000;
  std::size_t per_connection = 0;  ///< 0: as many as the connection lasts
  std::size_t size = 4096;         ///< octets of header and body
  std::string sender = "sender@client.example.net";
  std::string recipient = "user@bench.example.org";
  bool pipeline = false;
  std::size_t max_failures = 100;
  int stall_seconds = 30;  ///< without any event for so long the run is given up
};

/// One message of `size` octets with CRLF line ends; ends with a line end.
std::string make_content(const Plan& plan) {
  std::string content = fmt::format(
      "From: <{}>\r\nTo: <{}>\r\nSubject: load\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
      "Message-ID: <load@client.example.net>\r\n\r\n",
      plan.sender, plan.recipient);
  constexpr std::size_t kLine = 72;
  while (content.size() + 2 < plan.size) {
    const std::size_t room = std::min(kLine, plan.size - content.size() - 2);
    for (std::size_t i = 0; i < room; ++i) content += static_cast<char>('a' + (content.size() * 7 + i) % 26);
    content += "\r\n";
  }
  return content;
}

enum class Waits : unsigned char { greeting, ehlo, mail, rcpt, data, accepted, pipelined, goodbye, idle };

/// One slot of concurrency; holds one connection after another.
struct Session {
  int fd = -1;
  Waits waits = Waits::idle;
  std::size_t sent_here = 0;      ///< messages on this connection
  unsigned replies_expected = 0;  ///< of a pipelined MAIL, RCPT, DATA
  bool writable_wanted = false;
  std::string out;
  std::string in;
  SteadyClock::time_point begun;  ///< of the message in hand
};

class Generator {
 public:
  explicit Generator(Plan plan) : plan_(std::move(plan)), content_(make_content(plan_) + ".\r\n") {
    mail_ = fmt::format("MAIL FROM:<{}>\r\n", plan_.sender);
    rcpt_ = fmt::format("RCPT TO:<{}>\r\n", plan_.recipient);
    latencies_.reserve(plan_.messages);
  }

  /// Runs the whole plan; 0 when every message was accepted.
  int run() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) return die("epoll_create1");
    sessions_.resize(plan_.sessions);
    const auto begin = SteadyClock::now();
    for (auto& session : sessions_) next_connection(session);

    std::array<epoll_event, 256> events{};
    while (open_ > 0 && !stopped_) {
      const int count =
          epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), plan_.stall_seconds * 1000);
      if (count < 0 && errno != EINTR) return die("epoll_wait");
      if (count == 0) {
        fmt::print(stderr, "generator: no event for {} s; given up\n", plan_.stall_seconds);
        break;
      }
      for (int i = 0; i < count && !stopped_; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        handle(sessions_[event.data.u64], event.events);
      }
    }
    report(std::chrono::duration<double>(SteadyClock::now() - begin).count());
    return latencies_.size() == plan_.messages && failures_ == 0 ? 0 : 1;
  }

 private:
  static int die(const char* what) {
    fmt::print(stderr, "generator: {}: {}\n", what, std::strerror(errno));
    return 2;
  }

  void next_connection(Session& session) {
    if (begun_ >= plan_.messages) return;
    // A connection carries its first message with it: nobody else may take the place.
    ++begun_;
    session = Session{};
    session.waits = Waits::greeting;
    session.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (session.fd < 0) return fail(session, "socket");
    const int one = 1;
    setsockopt(session.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(plan_.port);
    inet_pton(AF_INET, plan_.host.c_str(), &address.sin_addr);
    ++open_;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = static_cast<std::uint64_t>(&session - sessions_.data());
    session.begun = SteadyClock::now();
    if (connect(session.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 &&
        errno != EINPROGRESS) {
      return fail(session, std::strerror(errno));
    }
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, session.fd, &event) < 0) return fail(session, "epoll_ctl");
  }

  void close_connection(Session& session) {
    if (session.fd < 0) return;
    close(session.fd);
    session.fd = -1;
    session.waits = Waits::idle;
    --open_;
  }

  void fail(Session& session, std::string_view why) {
    const bool had_message = session.waits != Waits::goodbye && session.waits != Waits::idle;
    if (++failures_ <= 5) fmt::print(stderr, "generator: {}\n", why);
    if (had_message && begun_ > 0) --begun_;
    close_connection(session);
    if (failures_ >= plan_.max_failures) {
      fmt::print(stderr, "generator: {} failures; given up\n", failures_);
      stopped_ = true;
      return;
    }
    next_connection(session);
  }

  void handle(Session& session, std::uint32_t events) {
    if (session.fd < 0) return;
    if ((events & EPOLLOUT) != 0) flush(session);
    if (session.fd < 0 || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
    std::array<char, 4096> buffer;
    const ssize_t got = recv(session.fd, buffer.data(), buffer.size(), 0);
    if (got < 0) {
      if (errno != EAGAIN && errno != EINTR) fail(session, std::strerror(errno));
      return;
    }
    if (got == 0) {
      if (session.waits != Waits::goodbye) return fail(session, "the server closed the connection");
      close_connection(session);
      return next_connection(session);
    }
    session.in.append(buffer.data(), static_cast<std::size_t>(got));
    take_replies(session);
  }

  /// Acts on every complete reply that has arrived.
  void take_replies(Session& session) {
    while (session.fd >= 0) {
      const auto end = session.in.find('\n');
      if (end == std::string::npos) return;
      const std::string line = session.in.substr(0, end);
      session.in.erase(0, end + 1);
      const bool is_last = line.size() < 4 || line[3] != '-';
      if (is_last) on_reply(session, line);
    }
  }

  void on_reply(Session& session, const std::string& line) {
    if (session.waits == Waits::goodbye) return;
    const bool data_answer =
        session.waits == Waits::data || (session.waits == Waits::pipelined && session.replies_expected == 1);
    if (!line.starts_with(data_answer ? '3' : '2')) return fail(session, line);
    switch (session.waits) {
      case Waits::greeting:
        return say(session, Waits::ehlo, "EHLO client.example.net\r\n");
      case Waits::ehlo:
        return start_message(session);
      case Waits::mail:
        return say(session, Waits::rcpt, rcpt_);
      case Waits::rcpt:
        return say(session, Waits::data, "DATA\r\n");
      case Waits::data:
        return say(session, Waits::accepted, content_);
      case Waits::pipelined:
        if (--session.replies_expected == 0) say(session, Waits::accepted, content_);
        return;
      case Waits::accepted:
        return message_done(session);
      case Waits::goodbye:
      case Waits::idle:
        return;
    }
  }

  void start_message(Session& session) {
    if (session.sent_here > 0) session.begun = SteadyClock::now();
    if (!plan_.pipeline) return say(session, Waits::mail, mail_);
    session.replies_expected = 3;
    say(session, Waits::pipelined, mail_ + rcpt_ + "DATA\r\n");
  }

  void message_done(Session& session) {
    latencies_.push_back(
        std::chrono::duration<float, std::milli>(SteadyClock::now() - session.begun).count());
    ++session.sent_here;
    const bool may_go_on = plan_.per_connection == 0 || session.sent_here < plan_.per_connection;
    if (may_go_on && begun_ < plan_.messages) {
      ++begun_;
      return start_message(session);
    }
    say(session, Waits::goodbye, "QUIT\r\n");
    if (session.fd >= 0 && session.out.empty()) shutdown(session.fd, SHUT_WR);
  }

  void say(Session& session, Waits next, std::string_view text) {
    session.waits = next;
    session.out.append(text);
    flush(session);
  }

  void flush(Session& session) {
    while (!session.out.empty()) {
      const ssize_t sent = send(session.fd, session.out.data(), session.out.size(), MSG_NOSIGNAL);
      if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      if (sent < 0) return fail(session, std::strerror(errno));
      session.out.erase(0, static_cast<std::size_t>(sent));
    }
    if (session.out.empty() == !session.writable_wanted) return;
    session.writable_wanted = !session.out.empty();
    epoll_event event{};
    event.events = session.writable_wanted ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.u64 = static_cast<std::uint64_t>(&session - sessions_.data());
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, session.fd, &event) < 0) fail(session, "epoll_ctl");
  }

  void report(double seconds) {
    std::ranges::sort(latencies_);
    const auto percentile = [this](double part) {
      if (latencies_.empty()) return 0.0F;
      return latencies_[static_cast<std::size_t>(part * static_cast<double>(latencies_.size() - 1))];
    };
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto to_seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    fmt::print(
        "{{\"messages\": {}, \"failures\": {}, \"seconds\": {:.6f}, \"rate\": {:.1f}, \"cpu_seconds\": "
        "{:.4f}, "
        "\"latency_ms\": {{\"p50\": {:.3f}, \"p90\": {:.3f}, \"p99\": {:.3f}, \"max\": {:.3f}}}}}\n",
        latencies_.size(), failures_, seconds, static_cast<double>(latencies_.size()) / seconds,
        to_seconds(usage.ru_utime) + to_seconds(usage.ru_stime), percentile(0.5), percentile(0.9),
        percentile(0.99), percentile(1));
  }

  Plan plan_;
  std::string content_;  ///< with the final dot
  std::string mail_;
  std::string rcpt_;
  int epoll_ = -1;
  std::vector<Session> sessions_;
  std::size_t open_ = 0;   ///< connections
  std::size_t begun_ = 0;  ///< messages given to a session
  std::size_t failures_ = 0;
  bool stopped_ = false;
  std::vector<float> latencies_;  ///< milliseconds, of accepted messages
};

}  // namespace

int main(int argc, char** argv) {
  Plan plan;
  CLI::App app("Sends many messages by SMTP as fast as the server takes them.", "generator");
  app.add_option("--host", plan.host, "IPv4 address");
  app.add_option("--port", plan.port);
  app.add_option("--sessions", plan.sessions, "connections at a time")->check(CLI::Range(1, 20000));
  app.add_option("--messages", plan.messages, "in all");
  app.add_option("--per-connection", plan.per_connection, "messages before QUIT; 0: as many as possible");
  app.add_option("--size", plan.size, "octets of header and body");
  app.add_option("--from", plan.sender);
  app.add_option("--to", plan.recipient);
  app.add_flag("--pipeline", plan.pipeline, "MAIL, RCPT and DATA in one write");
  app.add_option("--max-failures", plan.max_failures, "give up after so many");
  CLI11_PARSE(app, argc, argv);
  return Generator(std::move(plan)).run();
}
