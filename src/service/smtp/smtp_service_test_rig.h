// The agent with real channels and real sockets; the test plays spool, dns, master and the other servers.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "service/smtp/smtp_service.h"
#include "service/smtp/test_server.h"

namespace sternpost::smtp_client {

class SmtpServiceRig : public testing::Test {
 protected:
  using SpoolEnd = Channel<spool_agent::FromAgent, spool_agent::ToAgent>;
  using DnsEnd = Channel<dns::ToDns, dns::FromDns>;

  struct Records final : RecordSink {
    void record(Record record) override { made.push_back(std::move(record)); }
    std::vector<Record> made;
  };

  SmtpServiceRig() {
    slice.hostname = "client.example.org";
    slice.max_sessions = 10;
    slice.max_messages = 100;
    slice.idle_seconds = 60;
    slice.connect_seconds = 30;
    slice.reply_seconds = 60;
    slice.data_seconds = 60;
    slice.final_seconds = 60;
  }
  ~SmtpServiceRig() override {
    spool.reset();
    dns_end.reset();
    service.reset();
  }

  void start() {
    auto made = SmtpService::make(
        {.loop = loop,
         .slice = encode(slice),
         .records = records,
         .traffic = traffic,
         .exit = [this] { exited = true; },
         .channel_closed =
             [this](Compartment row, const Error& why, bool last) {
               EXPECT_TRUE(last);
               if (why.what_to_do == ErrorClass::peer) breaches.push_back(row);
             },
         .tell_master = [this](const control::FromService& frame) { to_master.push_back(frame); }});
    ASSERT_TRUE(made);
    service = std::move(*made);
    connect_spool();
    connect_dns();
  }

  std::pair<UniqueFd, UniqueFd> sockets() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
  }

  void connect_spool() {
    auto [ours, theirs] = sockets();
    frames.clear();
    spool = std::make_unique<SpoolEnd>(
        loop, std::move(ours), FrameLimits{.max_frame = spool_agent::kMaxFrame}, traffic,
        SpoolEnd::Handlers{.on_frame = [this](spool_agent::FromAgent&& frame) -> Result<void> {
                             frames.push_back(std::move(frame));
                             return {};
                           },
                           .on_closed = [](const Error&) {}});
    service->peer(Compartment::spool, 0, std::move(theirs));
  }

  /// Answers at once from `names`, where `dns_answers`.
  void connect_dns() {
    auto [ours, theirs] = sockets();
    dns_end = std::make_unique<DnsEnd>(
        loop, std::move(ours), FrameLimits{.max_frame = dns::kMaxFrame}, traffic,
        DnsEnd::Handlers{.on_frame = [this](dns::ToDns&& frame) -> Result<void> {
                           const auto lookup = std::get<dns::Lookup>(std::move(frame));
                           EXPECT_EQ(lookup.kind, dns::Kind::address);
                           looked_up.push_back(lookup);
                           if (dns_answers) answer(lookup);
                           return {};
                         },
                         .on_closed = [](const Error&) {}});
    service->peer(Compartment::dns, 0, std::move(theirs));
  }

  void answer(const dns::Lookup& lookup) {
    dns::Answer answer;
    answer.request = lookup.request;
    const auto at = names.find(lookup.name);
    answer.outcome = at == names.end() ? dns::Outcome::no_name : dns::Outcome::found;
    if (at != names.end()) answer.addresses = {at->second};
    dns_end->send(answer);
  }

  /// Until `done`, or until nothing happens any more. Events come at their own pace, so that a busy machine
  /// only makes it longer.
  template <class Done>
  [[nodiscard]] bool run_until(const Done& done) {
    loop.restart();
    while (!done()) {
      if (loop.run_one_for(std::chrono::seconds(30)) == 0) return false;
    }
    return true;
  }
  /// All that is ready, and what the kernel makes ready by it.
  void settle() {
    loop.restart();
    while (loop.run_one_for(std::chrono::milliseconds(50)) > 0) {
    }
  }

  /// Content of the job that is handed next.
  void hand_piece(spool_agent::JobId number, std::string bytes) {
    spool->send(spool_agent::Piece{number, std::move(bytes)});
  }
  void hand(spool_agent::JobId number, const std::string& site, std::uint32_t recipients = 1) {
    spool->send(job_of(number, site, recipients));
  }
  /// A job whose content is in a file, of which its Job says `bytes`.
  SharedFd hand_file(spool_agent::JobId number, const std::string& site, std::string_view content,
                     std::size_t bytes) {
    auto job = job_of(number, site, 2);
    job.last_piece.clear();
    job.file = {bytes, checksum(content, 0)};
    job.descriptor = std::make_shared<const UniqueFd>(::memfd_create("content", MFD_CLOEXEC));
    EXPECT_EQ(::pwrite(job.descriptor->get(), content.data(), content.size(), 0),
              static_cast<ssize_t>(content.size()));
    spool->send(job);
    return job.descriptor;
  }
  static spool_agent::Job job_of(spool_agent::JobId number, const std::string& site,
                                 std::uint32_t recipients) {
    spool_agent::Job job;
    job.job = number;
    job.id = QueueId{number};
    job.reverse_path = *mail::Mailbox::from_wire("sender@example.org");
    for (std::uint32_t i = 0; i < recipients; ++i) {
      job.recipients.push_back({i, *mail::Mailbox::from_wire("user" + std::to_string(i) + "@example.net")});
    }
    job.last_piece = "Subject: " + std::to_string(number) + "\r\n\r\n";
    job.site = site;
    return job;
  }

  [[nodiscard]] std::vector<spool_agent::Outcome> outcomes() const {
    std::vector<spool_agent::Outcome> found;
    for (const auto& frame : frames) {
      if (const auto* one = std::get_if<spool_agent::Outcome>(&frame)) found.push_back(*one);
    }
    return found;
  }
  [[nodiscard]] std::vector<spool_agent::Unreadable> unreadable() const {
    std::vector<spool_agent::Unreadable> found;
    for (const auto& frame : frames) {
      if (const auto* one = std::get_if<spool_agent::Unreadable>(&frame)) found.push_back(*one);
    }
    return found;
  }
  [[nodiscard]] bool await_outcomes(std::size_t count) {
    return run_until([&] { return outcomes().size() >= count; });
  }
  /// What became of the first recipient of a job.
  [[nodiscard]] mail::RecipientOutcome outcome_of(spool_agent::JobId number) const {
    for (const auto& one : outcomes()) {
      if (one.job == number) return one.recipients.at(0);
    }
    ADD_FAILURE() << "no outcome of job " << number;
    return {};
  }
  [[nodiscard]] mail::Disposition disposition_of(spool_agent::JobId number) const {
    return outcome_of(number).disposition;
  }

  std::uint64_t counter(std::string_view name) {
    for (const auto& one : service->counters()) {
      if (one.name == name) return one.value;
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }

  static std::string site_of(const TestServer& server) {
    return "smtp host [127.0.0.1]:" + std::to_string(server.port);
  }
  /// Two hosts, the first preferred.
  static std::string site_of(const TestServer& first, const TestServer& second) {
    return "smtp mx 10 first.example:" + std::to_string(first.port) +
           " 20 second.example:" + std::to_string(second.port);
  }

  boost::asio::io_context loop;
  config::SmtpSlice slice;
  TrafficCounters traffic;
  Records records;
  bool exited = false;
  std::vector<Compartment> breaches;
  std::vector<control::FromService> to_master;
  std::map<std::string, std::string, std::less<>> names = {{"first.example", "127.0.0.1"},
                                                           {"second.example", "127.0.0.1"}};
  bool dns_answers = true;
  std::vector<dns::Lookup> looked_up;
  std::unique_ptr<Service> service;
  std::unique_ptr<SpoolEnd> spool;
  std::unique_ptr<DnsEnd> dns_end;
  std::vector<spool_agent::FromAgent> frames;
};

}  // namespace sternpost::smtp_client
