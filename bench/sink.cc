// Where bench/run lets servers deliver to by SMTP: takes everything, keeps nothing, and counts; or, for
// bench/deferred, takes nothing yet, and counts the recipients that are to be tried again.
//
// One thread and one epoll loop, so that its own cost is small and the same for every server. Writes how many
// messages and recipients it has taken into a file of two 64-bit numbers, which whoever measures maps.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

struct Counters {
  std::atomic<std::uint64_t> messages;
  std::atomic<std::uint64_t> recipients;
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

/// One client. Of the content only the last octets are kept, to find its end.
struct Client {
  std::string line;
  std::string out;
  std::string tail = "\r\n";
  std::uint64_t recipients = 0;
  bool in_content = false;
  bool leaving = false;
};

class Sink {
 public:
  Sink(std::uint16_t port, bool defers, Counters& counters) : defers_(defers), counters_(counters) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    ::setsockopt(listener_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) die("bind");
    if (::listen(listener_, 1024) != 0) die("listen");
    epoll_ = ::epoll_create1(0);
    watch(listener_);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events{};
    while (true) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      if (count < 0 && errno != EINTR) die("epoll_wait");
      for (int i = 0; i < count; ++i) {
        const int fd = events.at(static_cast<std::size_t>(i)).data.fd;
        if (fd == listener_) {
          accept_all();
        } else {
          serve(fd);
        }
      }
    }
  }

 private:
  void watch(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }

  void accept_all() {
    while (true) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      clients_[fd].out = "220 sink ESMTP\r\n";
      watch(fd);
      flush(fd, clients_[fd]);
    }
  }

  void serve(int fd) {
    auto& client = clients_[fd];
    const auto got = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return close(fd);
    take(client, {buffer_.data(), static_cast<std::size_t>(got)});
    flush(fd, client);
    if (client.leaving) close(fd);
  }

  /// Replies are short: a client that reads none of them gets no more.
  static void flush(int fd, Client& client) {
    if (client.out.empty()) return;
    if (::send(fd, client.out.data(), client.out.size(), MSG_NOSIGNAL) < 0) client.leaving = true;
    client.out.clear();
  }

  void close(int fd) {
    clients_.erase(fd);
    ::close(fd);
  }

  void take(Client& client, std::string_view input) {
    while (!input.empty() && !client.leaving) {
      if (client.in_content) {
        input.remove_prefix(take_content(client, input));
        continue;
      }
      const auto end = input.find('\n');
      if (end == std::string_view::npos) {
        client.line += input;
        return;
      }
      client.line += input.substr(0, end);
      input.remove_prefix(end + 1);
      obey(client, client.line);
      client.line.clear();
    }
  }

  /// How much of `input` is content; its end is a line with a dot alone.
  std::size_t take_content(Client& client, std::string_view input) {
    constexpr std::string_view kEnd = "\r\n.\r\n";
    // The end may have begun in what came before.
    const auto joined = client.tail + std::string(input.substr(0, kEnd.size()));
    auto at = joined.find(kEnd);
    std::size_t used = 0;
    if (at != std::string::npos) {
      used = at + kEnd.size() - client.tail.size();
    } else if (at = input.find(kEnd); at != std::string_view::npos) {
      used = at + kEnd.size();
    } else {
      client.tail += input.substr(input.size() < kEnd.size() ? 0 : input.size() - kEnd.size());
      if (client.tail.size() >= kEnd.size()) client.tail.erase(0, client.tail.size() - (kEnd.size() - 1));
      return input.size();
    }
    counters_.messages.fetch_add(1, std::memory_order_relaxed);
    counters_.recipients.fetch_add(client.recipients, std::memory_order_relaxed);
    client.in_content = false;
    client.out += "250 2.0.0 taken\r\n";
    return used;
  }

  void obey(Client& client, std::string_view line) {
    const auto verb = line.substr(0, 4);
    if (verb == "EHLO" || verb == "LHLO") {
      client.out +=
          "250-sink\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n";
    } else if (verb == "RCPT" && defers_) {
      counters_.recipients.fetch_add(1, std::memory_order_relaxed);
      client.out += "451 4.7.1 try again later, greylisted for some time\r\n";
    } else if (verb == "DATA" && defers_) {
      client.out += "503 5.5.1 no recipients\r\n";
    } else if (verb == "RCPT") {
      ++client.recipients;
      client.out += "250 2.1.5 Ok\r\n";
    } else if (verb == "DATA") {
      client.in_content = true;
      client.tail = "\r\n";
      client.out += "354 go\r\n";
    } else if (verb == "QUIT") {
      client.out += "221 2.0.0 Bye\r\n";
      client.leaving = true;
    } else {
      if (verb == "MAIL") client.recipients = 0;
      client.out += "250 2.0.0 Ok\r\n";
    }
  }

  bool defers_;
  Counters& counters_;
  int listener_ = -1;
  int epoll_ = -1;
  std::unordered_map<int, Client> clients_;
  std::array<char, 65536> buffer_{};
};

Counters& map_counters(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT, 0644);
  if (fd < 0 || ::ftruncate(fd, sizeof(Counters)) != 0) die(path.c_str());
  void* at = ::mmap(nullptr, sizeof(Counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) die("mmap");
  return *static_cast<Counters*>(at);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Takes mail by SMTP and counts it");
  std::uint16_t port = 0;
  std::string file;
  app.add_option("--port", port)->required();
  bool defers = false;
  app.add_option("--counters", file, "where the counts are written")->required();
  app.add_flag("--defer", defers, "each recipient is to be tried again later");
  CLI11_PARSE(app, argc, argv);
  Sink sink(port, defers, map_counters(file));
  sink.run();
}
