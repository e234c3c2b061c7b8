// A server by script for tests of the SMTP client, and results as text.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/smtp/client.h"

namespace sternpost::smtp::rig {

/// What the client is set up with and given.
struct Setup {
  std::vector<std::string> recipients = {"a@example.org"};
  std::string content = "Subject: x\r\n\r\nbody\r\n";
  bool eight_bit = false;
  std::string sender = "s@example.net";  ///< empty: the null reverse-path
  ClientProtocol protocol = ClientProtocol::smtp;
  std::uint32_t max_pipelined_recipients = 100;
  std::uint32_t max_transactions = 50;
  std::size_t max_unwritten = 64UL * 1024;
  std::size_t piece = 7;  ///< octets of content that are given at a time
};

inline ClientLimits limits_of(const Setup& setup) {
  ClientLimits limits;
  limits.helo = "client.example.net";
  limits.protocol = setup.protocol;
  limits.max_pipelined_recipients = setup.max_pipelined_recipients;
  limits.max_transactions = setup.max_transactions;
  limits.max_unwritten = setup.max_unwritten;
  return limits;
}

inline ContentFacts measure(std::string_view content) {
  ContentMeter meter;
  meter.add(content);
  return meter.facts();
}

/// Gives what the client wants; afterwards it wants nothing.
inline void give_content(Client& client, const Setup& setup) {
  while (const auto wanted = client.wanted_content()) {
    const auto octets = std::string_view(setup.content).substr(*wanted, setup.piece);
    client.give_content(octets, *wanted + octets.size() == setup.content.size());
    EXPECT_LE(client.output().size(), setup.max_unwritten + 2 * setup.piece + ContentWriter::kMaxEnd);
  }
}

inline Delivery delivery_of(const Setup& setup) {
  Delivery delivery;
  if (!setup.sender.empty()) delivery.reverse_path = mail::Mailbox::from_wire(setup.sender);
  for (const auto& recipient : setup.recipients) {
    delivery.recipients.push_back(mail::Mailbox::from_wire(recipient).value());
  }
  delivery.facts = measure(setup.content);
  delivery.eight_bit = setup.eight_bit;
  return delivery;
}

inline std::string describe(const RecipientResult& result) {
  constexpr const char* kDispositions[] = {"delivered", "failed", "deferred", "deleted"};
  constexpr const char* kScopes[] = {"answer", "host", "unknown"};
  return fmt::format("{} {} {}", kDispositions[static_cast<std::size_t>(result.disposition)],
                     kScopes[static_cast<std::size_t>(result.scope)], to_string(result.reply));
}

/// One line of a script, and what it means.
///   S: text      the server says it; lines that stand together arrive together
///   X: text      the same without a line end
///   C: text      the client's next line is this
///   begin, quit, timeout, disconnect, lost WHY     it happens
///   result       the delivery has its result now, and not before
///   idle, closed, open                             so is the client now
class Session {
 public:
  Session(const Setup& setup, bool octet_by_octet)
      : setup_(setup), limits_(limits_of(setup)), octet_by_octet_(octet_by_octet) {}

  void run(std::string_view script) {
    client.connected();
    take();
    while (!script.empty()) {
      const auto end = script.find('\n');
      const auto line = script.substr(0, end);
      script.remove_prefix(end == std::string_view::npos ? script.size() : end + 1);
      const bool more = script.starts_with("S: ") || script.starts_with("X: ");
      if (!line.empty()) step(line, more);
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_EQ(said_, "");
  }

  void begin() { client.begin(delivery_of(setup_)); }

  [[nodiscard]] std::vector<std::string> results() {
    take_result();
    return std::exchange(results_, {});
  }

 private:
  void step(std::string_view line, bool more) {
    SCOPED_TRACE(line);
    if (line.starts_with("S: ") || line.starts_with("X: ")) {
      ahead_ += line.substr(3);
      if (line.front() == 'S') ahead_ += "\r\n";
      if (!more) hear();
    } else if (line.starts_with("C: ")) {
      const auto end = said_.find("\r\n");
      EXPECT_EQ(said_.substr(0, end), line.substr(3));
      said_.erase(0, end == std::string::npos ? end : end + 2);
    } else if (line == "result") {
      EXPECT_TRUE(results_.empty());
      take_result();
      EXPECT_FALSE(results_.empty());
    } else if (line == "idle") {
      EXPECT_TRUE(client.idle());
    } else if (line == "closed" || line == "open") {
      EXPECT_EQ(client.closing(), line == "closed");
    } else {
      happen(line);
    }
    take();
  }

  void happen(std::string_view what) {
    if (what == "begin") {
      begin();
    } else if (what == "quit") {
      client.quit();
    } else if (what == "timeout") {
      client.timed_out();
    } else if (what == "disconnect") {
      client.disconnected();
    } else if (what.starts_with("lost ")) {
      client.disconnected(what.substr(5));
    } else {
      ADD_FAILURE() << "no such line of a script: " << what;
    }
  }

  void hear() {
    const auto octets = std::exchange(ahead_, {});
    if (!octet_by_octet_) return client.feed(octets);
    for (const char c : octets) {
      client.feed({&c, 1});
      take();
    }
  }

  void take() {
    give_content(client, setup_);
    while (!client.output().empty()) {
      said_ += std::exchange(client.output(), {});
      client.written();
      give_content(client, setup_);
    }
  }

  void take_result() {
    const auto finished = client.take_finished();
    if (!finished) return;
    EXPECT_EQ(finished->recipients.size(), setup_.recipients.size());
    for (const auto& result : finished->recipients) results_.push_back(describe(result));
    EXPECT_FALSE(client.take_finished().has_value());
  }

  Setup setup_;
  ClientLimits limits_;

 public:
  Client client{limits_};

 private:
  bool octet_by_octet_;
  std::string ahead_;
  std::string said_;
  std::vector<std::string> results_;
};

/// Runs the script with a delivery begun before the connection, with octets in groups and one by one; both
/// must give these results.
inline void expect_session(const Setup& setup, std::string_view script,
                           const std::vector<std::string>& results) {
  for (const bool octet_by_octet : {false, true}) {
    SCOPED_TRACE(octet_by_octet ? "octet by octet" : "in groups");
    Session session(setup, octet_by_octet);
    session.begin();
    session.run(script);
    EXPECT_EQ(session.results(), results);
  }
}

inline constexpr std::string_view kHello =
    "S: 220 mx.example.org ESMTP\n"
    "C: EHLO client.example.net\n"
    "S: 250-mx.example.org\n"
    "S: 250-PIPELINING\n"
    "S: 250-8BITMIME\n"
    "S: 250 SIZE 10000\n";
inline constexpr std::string_view kLockStepHello =
    "S: 220 mx.example.org ESMTP\n"
    "C: EHLO client.example.net\n"
    "S: 250 mx.example.org\n";
inline constexpr std::string_view kContent =
    "C: Subject: x\n"
    "C: \n"
    "C: body\n"
    "C: .\n";

template <class... Parts>
std::string script(Parts... parts) {
  std::string whole;
  (whole.append(parts), ...);
  return whole;
}

}  // namespace sternpost::smtp::rig
