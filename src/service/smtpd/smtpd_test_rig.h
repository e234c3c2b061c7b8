// The smtpd compartment between a real socket and channels whose other ends are played here; for its tests.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "service/smtpd/smtpd_service.h"

namespace sternpost::smtpd::testing_rig {

using namespace std::chrono_literals;

inline std::pair<UniqueFd, UniqueFd> socket_pair() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

inline UniqueFd listen_on_loopback(std::uint16_t& port) {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(::listen(listener.get(), 16), 0);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  port = ntohs(address.sin_port);
  return listener;
}

inline config::SmtpdSlice slice() {
  config::SmtpdSlice slice;
  slice.hostname = "mx.example.org";
  slice.max_message_bytes = 1'000'000;
  slice.max_recipients = 100;
  slice.max_command_line = 1000;
  slice.max_text_line = 65536;
  slice.max_commands = 1000;
  slice.max_errors = 20;
  slice.max_messages = 100;
  slice.max_hops = 30;
  slice.command_seconds = slice.data_seconds = slice.session_seconds = 300;
  slice.max_sessions = 10;
  slice.max_sessions_per_client = 5;
  slice.retire_sessions = slice.retire_seconds = 1000;
  slice.sessions_rule = {"smtp.max_sessions", {}, 0};
  slice.sessions_per_client_rule = {"smtp.max_sessions_per_client", "sternpost.toml", 7};
  return slice;
}

/// More than three pieces.
inline std::string long_content() {
  std::string content;
  while (content.size() < 200'000) content += "0123456789012345678901234567890123456789\r\n";
  return content;
}

class Records final : public RecordSink {
 public:
  void record(Record record) override { all.push_back(std::move(record)); }
  [[nodiscard]] const Record* last(Decision decision) const {
    for (auto record = all.rbegin(); record != all.rend(); ++record) {
      if (record->decision == decision) return &*record;
    }
    return nullptr;
  }
  std::vector<Record> all;
};

/// Spool's end: leases ids from a fixed start and keeps what comes.
class FakeSpool {
 public:
  FakeSpool(boost::asio::io_context& loop, UniqueFd socket, TrafficCounters& counters, std::uint64_t first_id)
      : next_id_(first_id),
        channel_(loop, std::move(socket), FrameLimits{.max_frame = spool_intake::kMaxFrame}, counters,
                 {[this](spool_intake::ToSpool&& frame) { return on_frame(std::move(frame)); },
                  [](const Error&) {}}) {}

  void committed(QueueId id) { channel_.send(spool_intake::Committed{{id}}); }
  void not_committed(QueueId id, mail::Reply reply) {
    channel_.send(spool_intake::NotCommitted{id, std::move(reply)});
  }
  void press(queue::PressureLevel level, std::string cause) {
    channel_.send(spool_intake::Pressure{level, std::move(cause)});
  }
  /// Of all that came of this message so much has left memory.
  void take(QueueId id, std::uint64_t bytes) { channel_.send(spool_intake::Taken{id, taken[id] = bytes}); }
  void take_all() {
    for (const auto& [id, bytes] : received) {
      if (taken[id] < bytes) take(id, bytes);
    }
  }
  void state(QueueId id, bool committed) { channel_.send(spool_intake::CommitState{id, committed}); }
  void lease(std::uint32_t count) {
    channel_.send(spool_intake::Leased{{next_id_}, count});
    next_id_ += count;
    ++leases;
  }

  unsigned leases = 0;  ///< granted
  bool lease_at_once = true;
  bool commit_at_once = true;
  bool take_at_once = true;
  std::vector<spool_intake::Commit> commits;
  std::vector<QueueId> asked;
  std::vector<QueueId> abandoned;
  std::string pieces;
  std::map<QueueId, std::uint64_t> received;  ///< octets of pieces
  std::map<QueueId, std::uint64_t> taken;

 private:
  Result<void> on_frame(spool_intake::ToSpool&& frame) {
    std::visit(Overloaded{
                   [&](spool_intake::Lease& lease_request) {
                     if (lease_at_once) lease(lease_request.count);
                   },
                   [&](spool_intake::Piece& piece) {
                     pieces += piece.bytes;
                     received[piece.id] += piece.bytes.size();
                     EXPECT_LE(received[piece.id] - taken[piece.id], spool_intake::kWindowBytes);
                     if (take_at_once) take_all();
                   },
                   [&](spool_intake::Abandon& abandon) { abandoned.push_back(abandon.id); },
                   [&](spool_intake::Commit& commit) {
                     if (commit_at_once) committed(commit.id);
                     commits.push_back(std::move(commit));
                   },
                   [&](spool_intake::IsCommitted& question) { asked.push_back(question.id); },
               },
               frame);
    return {};
  }

  std::uint64_t next_id_;
  Channel<spool_intake::ToSpool, spool_intake::FromSpool> channel_;
};

/// Router's end: takes recipients at example.org.
class FakeRouter {
 public:
  FakeRouter(boost::asio::io_context& loop, UniqueFd socket, TrafficCounters& counters)
      : channel_(loop, std::move(socket), FrameLimits{.max_frame = router::kMaxFrame}, counters,
                 {[this](router::FromIntake&& frame) -> Result<void> {
                    questions.push_back(std::get<router::Verify>(std::move(frame)));
                    if (answer_at_once) answer(questions.back());
                    return {};
                  },
                  [](const Error&) {}}) {}

  void answer(const router::Verify& question) {
    const bool ours = question.recipient.domain().to_wire() == "example.org";
    channel_.send(
        router::Verdict{question.request,
                        ours ? mail::Reply{250, {2, 1, 5}, "Ok"} : mail::Reply{554, {5, 7, 1}, "No relaying"},
                        {"domains", "sternpost.toml", 3}});
  }

  bool answer_at_once = true;
  std::vector<router::Verify> questions;

 private:
  Channel<router::FromIntake, router::ToIntake> channel_;
};

class Smtpd : public testing::Test {
 protected:
  void start(config::SmtpdSlice with = slice()) {
    std::vector<UniqueFd> listeners;
    listeners.push_back(listen_on_loopback(port_));
    service_ = std::make_unique<SmtpdService>(
        ServiceContext{.loop = loop_,
                       .instance = 0,
                       .listeners = std::move(listeners),
                       .initial_peers = 2,
                       .records = records_,
                       .traffic = counters_,
                       .retire = [this](std::string why) { retired_.push_back(std::move(why)); },
                       .exit = [this] { exited_ = true; }},
        std::move(with));
  }
  void connect_spool(std::uint64_t first_id = 1) {
    auto [ours, theirs] = socket_pair();
    spool_ = std::make_unique<FakeSpool>(loop_, std::move(theirs), counters_, first_id);
    service_->peer(Compartment::spool, 0, std::move(ours));
  }
  void connect_router() {
    auto [ours, theirs] = socket_pair();
    router_ = std::make_unique<FakeRouter>(loop_, std::move(theirs), counters_);
    service_->peer(Compartment::router, 0, std::move(ours));
  }
  void start_all(config::SmtpdSlice with = slice()) {
    start(std::move(with));
    connect_spool();
    connect_router();
  }

  /// Runs the loop until `done`; gives up after a time that only a failure takes.
  bool eventually(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < deadline) {
      if (done()) return true;
      loop_.run_for(1ms);
    }
    return false;
  }

  class Client {
   public:
    explicit Client(Smtpd& test) : test_(test), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(test.port_);
      EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
      EXPECT_EQ(::fcntl(socket_.get(), F_SETFL, O_NONBLOCK), 0);
    }
    void say(std::string_view octets) { EXPECT_EQ(say_some(octets), octets.size()); }
    /// How many of the octets the connection takes now.
    std::size_t say_some(std::string_view octets) {
      const auto sent = ::send(socket_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
      return sent < 0 ? 0 : static_cast<std::size_t>(sent);
    }
    /// Whether a reply line that begins so has come; forgets everything up to it.
    bool hears_now(const std::string& line) {
      receive();
      const auto at = ("\n" + heard_).find("\n" + line);
      if (at == std::string::npos) return false;
      heard_.erase(0, heard_.find('\n', at) + 1);
      return true;
    }
    /// Waits for such a line.
    bool hears(const std::string& line) {
      return test_.eventually([&] { return hears_now(line); });
    }
    bool is_closed_now() {
      receive();
      return closed_;
    }
    bool is_closed() {
      return test_.eventually([&] { return is_closed_now(); });
    }
    [[nodiscard]] const std::string& heard() const { return heard_; }
    void close() { socket_.reset(); }
    void half_close() { ::shutdown(socket_.get(), SHUT_WR); }
    /// Up to the reply to DATA.
    bool begin_message(const std::string& recipient = "bob@example.org") {
      say("EHLO client.example\r\n");
      if (!hears("250 ENHANCEDSTATUSCODES")) return false;
      say("MAIL FROM:<a@example.net>\r\nRCPT TO:<" + recipient + ">\r\nDATA\r\n");
      return hears("354");
    }

   private:
    void receive() {
      char buffer[4096];
      const auto got = ::recv(socket_.get(), buffer, sizeof(buffer), 0);
      if (got > 0) heard_.append(buffer, static_cast<std::size_t>(got));
      if (got == 0 || (got < 0 && errno != EAGAIN)) closed_ = true;
    }
    Smtpd& test_;
    UniqueFd socket_;
    std::string heard_;
    bool closed_ = false;
  };

  boost::asio::io_context loop_;
  TrafficCounters counters_;
  Records records_;
  std::uint16_t port_ = 0;
  std::unique_ptr<SmtpdService> service_;
  std::unique_ptr<FakeSpool> spool_;
  std::unique_ptr<FakeRouter> router_;
  std::vector<std::string> retired_;
  bool exited_ = false;
};

}  // namespace sternpost::smtpd::testing_rig
