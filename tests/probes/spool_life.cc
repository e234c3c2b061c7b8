// spool_life: lives through all that a spool does on the real disk: starts, messages, content files,
// outcomes, holds, growth, recycling. It says on its output what it was told, before it goes on, so that it
// may be killed, or its system calls may fail, at any moment:
//
//   accepted ID   the message is committed; its content follows from its id
//   settling ID   its last outcome is about to be committed
//   settled ID    that is committed: it must not come back
//
// What the disk refuses is tried again, some times, as the service does. Ends with 0 also where that did not
// help.
#include <fcntl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/unique_fd.h"
#include "spool/engine.h"
#include "spool/posix_disk.h"

namespace sternpost {
namespace {

constexpr std::uint64_t kSegment = 64 * 1024;
constexpr std::uint64_t kSegments = 12;
constexpr int kStarts = 2;
constexpr int kCommits = 14;            ///< for each start
constexpr std::uint32_t kMessages = 3;  ///< for each commit
constexpr std::size_t kKept = 6;
constexpr int kTries = 8;
constexpr int kUpkeep = 4;  ///< steps behind each commit, at most

void say(std::string_view what, QueueId id) {
  fmt::print("{} {}\n", what, to_string(id));
  std::fflush(stdout);
}

/// The id again and again: up to 11 KB.
std::string content_of(QueueId id) {
  const auto line = to_string(id) + "\n";
  std::string content;
  for (auto lines = 1 + id.value * 37 % 1800; lines > 0; --lines) content += line;
  return content;
}

spool::AddMessage message(QueueId id, WallTime now) {
  mail::Envelope envelope;
  envelope.recipients = {*mail::Mailbox::from_wire("alice@example.org"),
                         *mail::Mailbox::from_wire("bob@example.org")};
  envelope.arrival = now;
  return {.id = id, .envelope = std::move(envelope), .content = content_of(id)};
}

class Life {
 public:
  explicit Life(UniqueFd folder) : disk_(std::move(folder)) {
    options_.segment_bytes = kSegment;
    options_.spare_segments = spool::kLeastSpares;
    options_.max_message_bytes = kSegment / 4;
    options_.max_spool_bytes = kSegments * kSegment;
  }

  void run() {
    for (int start = 0; start < kStarts; ++start) {
      if (!open()) return;
      for (int i = 0; i < kCommits; ++i) {
        accept();
        if (i % 4 == 1) mark();
        settle();
        for (const auto id : engine_->take_discarded()) std::ignore = spool::remove_content(disk_, id);
        maintain();
      }
      engine_.reset();
    }
  }

 private:
  bool open() {
    for (int i = 0; i < kTries; ++i) {
      options_.salt = static_cast<std::uint64_t>(clock_.now().microseconds);
      auto opened = spool::Engine::open(disk_, clock_, options_);
      if (!opened) continue;
      engine_ = std::move(*opened);
      live_.clear();
      for (const auto& [position, id] : engine_->messages_after(0, std::numeric_limits<std::size_t>::max())) {
        live_.push_back(id);
      }
      return true;
    }
    return false;
  }

  /// Ahead of need, however the disk answers.
  void maintain() {
    for (int step = 0; step < kUpkeep; ++step) {
      const auto more = engine_->maintain();
      if (more && !*more) return;
    }
  }

  /// Tries until all of `ops` are taken or refused for good, some times; `taken` is told of each at once.
  void commit(std::vector<spool::Op> ops, const std::function<void(const spool::Op&)>& taken) {
    for (int i = 0; i < kTries && !ops.empty(); ++i) {
      const auto results = engine_->commit(ops);
      std::vector<spool::Op> again;
      for (std::size_t at = 0; at < ops.size(); ++at) {
        if (results[at]) {
          taken(ops[at]);
        } else if (results[at].error().what_to_do != ErrorClass::permanent) {
          again.push_back(std::move(ops[at]));
        }
      }
      ops = std::move(again);
      if (!ops.empty()) maintain();
    }
  }

  void accept() {
    Result<QueueId> first = engine_->lease(kMessages);
    for (int i = 1; i < kTries && !first; ++i) first = engine_->lease(kMessages);
    if (!first) return;
    std::vector<spool::Op> ops;
    for (std::uint32_t i = 0; i < kMessages; ++i) {
      auto one = message({first->value + i}, clock_.now());
      if (one.id.value % 4 == 3 && !put_content_in_file(one)) continue;
      ops.emplace_back(std::move(one));
    }
    commit(std::move(ops), [this](const spool::Op& op) {
      const auto id = std::get<spool::AddMessage>(op).id;
      say("accepted", id);
      live_.push_back(id);
    });
  }

  /// False where the disk does not take it.
  bool put_content_in_file(spool::AddMessage& message) {
    for (int i = 0; i < kTries; ++i) {
      const auto file = spool::write_content(disk_, message.id, message.content);
      if (!file) continue;
      message.content.clear();
      message.file = *file;
      return true;
    }
    return false;
  }

  /// What changes a message and ends none.
  void mark() {
    if (live_.empty()) return;
    const auto id = live_.back();
    const mail::RecipientOutcome deferred{
        0, mail::Disposition::deferred, {451, {4, 3, 0}, "later"}, clock_.now()};
    commit({spool::Hold{id}, spool::RecordOutcomes{id, {deferred}}, spool::Release{id}}, [](const auto&) {});
  }

  /// The oldest ones are delivered, but for every fifth, which stays until recycling moves it.
  void settle() {
    std::deque<QueueId> kept;
    while (live_.size() + kept.size() > kKept && !live_.empty()) {
      const auto id = live_.front();
      live_.pop_front();
      if (id.value % 5 == 0 && kept.size() < kKept / 2) {
        kept.push_back(id);
        continue;
      }
      say("settling", id);
      std::vector<mail::RecipientOutcome> outcomes;
      const auto state = engine_->find(id)->state;
      for (std::uint32_t i = 0; i < state.recipients(); ++i) {
        if (state.is_open(i))
          outcomes.push_back({i, mail::Disposition::delivered, {250, {2, 0, 0}, ""}, clock_.now()});
      }
      commit({spool::RecordOutcomes{id, std::move(outcomes)}}, [&](const auto&) { say("settled", id); });
    }
    live_.insert(live_.begin(), kept.begin(), kept.end());
  }

  spool::PosixDisk disk_;
  spool::SystemClock clock_;
  spool::EngineOptions options_;
  std::unique_ptr<spool::Engine> engine_;
  std::deque<QueueId> live_;
};

}  // namespace
}  // namespace sternpost

int main(int argc, char** argv) {
  CLI::App app("The life of a spool on the real disk");
  std::string path;
  app.add_option("folder", path)->required();
  CLI11_PARSE(app, argc, argv);
  sternpost::UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) {
    fmt::print(stderr, "spool_life: {} cannot be opened\n", path);
    return 1;
  }
  sternpost::Life(std::move(folder)).run();
  return 0;
}
