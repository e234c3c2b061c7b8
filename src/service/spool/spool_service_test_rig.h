// The service with real channels and a real disk; its peers are played by the test.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/spool/spool_service.h"

namespace sternpost::spool_service {

class Records : public RecordSink {
 public:
  void record(Record record) override { all.push_back(std::move(record)); }
  [[nodiscard]] std::size_t count(Decision decision) const {
    return static_cast<std::size_t>(std::ranges::count(all, decision, &Record::decision));
  }
  std::vector<Record> all;
};

/// The other end of a channel; keeps the frames that came.
template <class In, class Out, std::size_t max_frame = 512UL * 1024>
struct Peer {
  std::unique_ptr<Channel<In, Out>> channel;
  std::vector<In> frames;
  bool closed = false;

  template <class T>
  void send(const T& frame) {
    channel->send(frame);
  }
  template <class T>
  std::vector<T> of() const {
    std::vector<T> found;
    for (const auto& frame : frames) {
      if (const auto* one = std::get_if<T>(&frame)) found.push_back(*one);
    }
    return found;
  }
};
using Intake = Peer<spool_intake::FromSpool, spool_intake::ToSpool>;
using Qmgr = Peer<spool_qmgr::FromSpool, spool_qmgr::ToSpool>;
using Agent = Peer<spool_agent::ToAgent, spool_agent::FromAgent>;
using Admin = Peer<spool_admin::FromSpool, spool_admin::ToSpool>;
using Bounce = Peer<spool_notice::ToBounce, spool_notice::FromBounce, spool_notice::kMaxFrame>;

class SpoolServiceRig : public testing::Test {
 protected:
  SpoolServiceRig() {
    char name[] = "/tmp/sternpost-service-XXXXXX";
    folder_ = ::mkdtemp(name);
    start();
  }
  ~SpoolServiceRig() override {
    service_.reset();
    std::filesystem::remove_all(folder_);
  }

  void start(std::uint32_t initial_peers = 0) {
    service_.reset();
    ServiceContext context{.loop = loop_,
                           .slice = encode(slice_),
                           .initial_peers = initial_peers,
                           .records = records_,
                           .traffic = traffic_,
                           .exit = [this] { exited_ = true; },
                           .channel_closed =
                               [this](Compartment row, const Error& why, bool last) {
                                 EXPECT_FALSE(last) << "spool's peers see to new channels";
                                 if (why.what_to_do == ErrorClass::peer) breaches_.push_back(row);
                               },
                           .max_descriptors = max_descriptors_};
    for (int folder = 0; folder < 2; ++folder) {  // both logs are in one
      context.folders.emplace_back(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    auto made = SpoolService::make(std::move(context));
    ASSERT_TRUE(made) << made.error().text;
    service_ = std::move(*made);
  }

  template <class P>
  std::unique_ptr<P> connect(Compartment row) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    service_->peer(row, 0, UniqueFd(ends[0]));
    auto peer = std::make_unique<P>();
    attach(*peer, UniqueFd(ends[1]));
    return peer;
  }
  template <class In, class Out, std::size_t max_frame>
  void attach(Peer<In, Out, max_frame>& peer, UniqueFd socket) {
    peer.channel = std::make_unique<Channel<In, Out>>(
        loop_, std::move(socket), FrameLimits{.max_frame = max_frame}, traffic_,
        typename Channel<In, Out>::Handlers{[&peer](In&& frame) -> Result<void> {
                                              peer.frames.push_back(std::move(frame));
                                              return {};
                                            },
                                            [&peer](const Error&) { peer.closed = true; }});
  }

  /// Until nothing is left to do and no timer runs out for longer than outcomes wait for company. Each event
  /// begins the wait anew, and content on its way to the disk is waited for, so that a slow disk or a busy
  /// machine only makes it longer.
  void settle() {
    loop_.restart();
    while (loop_.run_one_for(Milliseconds(60)) > 0 || counter("contents_in_hand") > 0) {
    }
  }

  QueueId lease(Intake& intake, std::uint32_t count) {
    intake.send(spool_intake::Lease{count});
    settle();
    const auto leased = intake.of<spool_intake::Leased>();
    EXPECT_FALSE(leased.empty());
    return leased.empty() ? QueueId{} : leased.back().first;
  }

  static mail::Envelope envelope(std::uint32_t recipients) {
    mail::Envelope one;
    for (std::uint32_t i = 0; i < recipients; ++i) {
      one.recipients.push_back(*mail::Mailbox::from_wire("user" + std::to_string(i) + "@example.org"));
    }
    return one;
  }

  QueueId commit(Intake& intake, std::string content, std::uint32_t recipients = 1) {
    const auto id = lease(intake, 1);
    intake.send(spool_intake::Commit{id, envelope(recipients), std::move(content), false});
    settle();
    return id;
  }

  std::unique_ptr<Agent> agent(Compartment row = Compartment::virtual_mailbox) {
    auto one = connect<Agent>(row);
    one->send(spool_agent::InHand{});
    settle();
    return one;
  }

  static spool_agent::Outcome delivered(const spool_agent::Job& job) {
    spool_agent::Outcome outcome{job.job, {}};
    for (const auto& recipient : job.recipients) {
      outcome.recipients.push_back(
          {recipient.index, mail::Disposition::delivered, {250, {2, 0, 0}, "ok"}, {}});
    }
    return outcome;
  }

  static spool_qmgr::Orders order(QueueId id, std::vector<std::uint32_t> recipients) {
    return {{{id, spool_qmgr::Agent::virtual_mailbox, std::move(recipients)}}};
  }

  /// Changes the first byte of it on the disk.
  void damage(const std::string& content) {
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      const auto at = bytes.find(content);
      if (at == std::string::npos) continue;
      file.clear();
      file.seekp(static_cast<std::streamoff>(at));
      file.put('X');
    }
  }

  std::uint64_t counter(std::string_view name) {
    for (const auto& one : service_->counters()) {
      if (one.name == name) return one.value;
    }
    return 0;
  }

  std::string folder_;
  boost::asio::io_context loop_;
  config::SpoolSlice slice_{.segment_bytes = 1 << 20U,
                            .spare_segments = 2,
                            .max_message_bytes = 400000,
                            .max_spool_bytes = 16 << 20U,
                            .min_free_bytes = 0,
                            .max_buffered_bytes = 1 << 20U};
  std::uint64_t max_descriptors_ = 65'536;
  Records records_;
  TrafficCounters traffic_;
  bool exited_ = false;
  std::vector<Compartment> breaches_;
  std::unique_ptr<Service> service_;
};

}  // namespace sternpost::spool_service
