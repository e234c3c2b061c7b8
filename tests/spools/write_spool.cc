// write_spool FOLDER — makes a small spool of the version that this tree writes, with everything in it that
// later versions must be able to read: FOLDER/spool, and what must be found there as FOLDER/messages.jsonl
// and FOLDER/ids.txt. Every run writes the same. See README.md.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "spool/log_walk.h"
#include "spool/overlay_disk.h"
#include "spool/posix_disk.h"
#include "spool_account.h"

namespace sternpost::spool {
namespace {

using enum mail::Disposition;

constexpr std::uint64_t kSegmentBytes = 64ULL * 1024;
constexpr std::uint64_t kSegments = 16;
constexpr int kRounds = 30;  ///< of mail that comes and goes
constexpr WallTime kStart{1'795'248'812'000'000};

[[noreturn]] void give_up(std::string_view why) {
  fmt::print(stderr, "write_spool: {}\n", why);
  std::exit(1);
}
void must(const Result<void>& done) {
  if (!done) give_up(done.error().text);
}
template <class T>
T must(Result<T> result) {
  if (!result) give_up(result.error().text);
  return std::move(*result);
}

/// A millisecond passes with each look.
class SteadyClock : public Clock {
 public:
  WallTime now() override { return now_ = now_ + Milliseconds(1); }
  Microseconds elapsed() override { return now() - kStart; }

 private:
  WallTime now_ = kStart;
};

mail::RecipientOutcome outcome(std::uint32_t recipient, mail::Disposition disposition) {
  const auto tried = kStart + Seconds(60 + recipient);
  if (disposition == failed) {
    return {recipient, failed, {550, {5, 1, 1}, "no \"user\" here"}, tried, "mx.example.net [192.0.2.7]"};
  }
  if (disposition == deferred) {
    return {recipient, deferred, {451, {4, 4, 1}, "try later"}, tried, "mx.example.net [2001:db8::7]"};
  }
  return {recipient, disposition, {250, {2, 0, 0}, "done"}, tried};
}

mail::Envelope envelope(std::uint32_t recipients) {
  mail::Envelope made;
  made.reverse_path = mail::Mailbox::from_wire("\"Ann B.\"@example.net");
  for (std::uint32_t i = 0; i < recipients; ++i) {
    made.recipients.push_back(*mail::Mailbox::from_wire(fmt::format("user{}@example.org", i)));
  }
  made.arrival = kStart;
  made.origin = {"ESMTP", "[2001:db8::1]:40312", "client.example.net", "s17"};
  made.eight_bit = recipients % 2 == 0;
  return made;
}

/// The id again and again.
std::string content_of(QueueId id, std::size_t least) {
  std::string content = "Subject: gr\xc3\xbc\xc3\x9f\x65\r\n\r\n";
  while (content.size() < least) content += to_string(id) + "\r\n";
  return content;
}

/// Tells an engine what happens in the life of a spool.
class Author {
 public:
  explicit Author(const std::string& folder)
      : disk_(UniqueFd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC))) {}

  void start() {
    engine_.reset();
    ++options_.salt;
    engine_ = must(Engine::open(disk_, clock_, options_));
    maintain();
  }
  void write_checkpoint() { must(engine_->write_checkpoint()); }
  /// Opens what was written as the next start would, and changes nothing.
  template <class Use>
  void look(CheckpointUse use, Use&& with_engine) {
    engine_.reset();
    OverlayDisk overlay(disk_);
    const auto engine = must(Engine::open(overlay, clock_, options_, use));
    with_engine(overlay, *engine);
  }

  /// Whatever may become of a message.
  void one_of_each() {
    add(1);
    add(1, {.octets = kMaxInlineContent + 1});
    settle(add(2, {.octets = kMaxInlineContent * 2}), {outcome(0, deferred)});
    settle(add(1, {.octets = kMaxInlineContent * 2}), {outcome(0, delivered)});
    settle(add(2), {outcome(0, deferred), outcome(1, deferred)});
    const auto tried_twice = add(1);
    settle(tried_twice, {outcome(0, deferred)});
    settle(tried_twice, {outcome(0, deferred)});
    commit(Hold{add(1)});
    commit(Release{add(2, {.held = true})});
    add(1, {.held = true});
    settle(add(3), {outcome(0, delivered), outcome(1, failed), outcome(2, deferred)});
    settle(add(2), {outcome(0, deleted), outcome(1, failed)});
    const auto undeliverable = add(2);
    settle(undeliverable, {outcome(0, failed)});
    settle(undeliverable, {outcome(0, bounced)});
    resolve();
    tell_senders();
    settle(add(1), {outcome(0, delivered)});
  }

  /// More than two segments of mail that stays, so that what comes before and behind is recycled first.
  void backlog() {
    for (int i = 0; i < 18; ++i) add(1, {.octets = 6000});
  }

  /// Mail that comes and goes; a little of it stays.
  void traffic() {
    std::vector<QueueId> last;
    for (int round = 0; round < kRounds; ++round) {
      for (const auto id : last) settle(id, {outcome(0, delivered)});
      last.clear();
      for (int i = 0; i < 6; ++i) last.push_back(add(1, {.octets = 4000}));
      if (round % 4 == 0) {
        settle(last.back(), {outcome(0, deferred)});
        last.pop_back();
      }
      maintain();
    }
  }

  struct Wanted {
    bool held = false;
    std::size_t octets = 100;
    std::optional<Settlement> settles = {};
  };
  QueueId add(std::uint32_t recipients, Wanted wanted) {
    const auto id = must(engine_->lease(1));
    ids_.push_back(id);
    auto made = envelope(recipients);
    if (wanted.settles) made.reverse_path = std::nullopt;
    AddMessage message{id, std::move(made), content_of(id, wanted.octets), wanted.held,
                       std::move(wanted.settles)};
    if (message.content.size() > kMaxInlineContent) {
      message.file = must(write_content(disk_, id, std::exchange(message.content, {})));
    }
    commit(std::move(message));
    return id;
  }
  QueueId add(std::uint32_t recipients) { return add(recipients, {}); }
  /// A content file that a crash left behind.
  void leave_content() { must(write_content(disk_, must(engine_->lease(1)), std::string(100, 'x'))); }
  [[nodiscard]] const std::vector<QueueId>& ids() const { return ids_; }

 private:
  void commit(Op op) {
    const std::vector<Op> ops{std::move(op)};
    must(engine_->commit(ops).front());
  }
  void settle(QueueId id, std::vector<mail::RecipientOutcome> outcomes) {
    commit(RecordOutcomes{id, std::move(outcomes)});
  }
  void maintain() {
    while (must(engine_->maintain())) {
    }
    for (const auto id : engine_->take_discarded()) must(remove_content(disk_, id));
  }

  /// The router found more recipients behind an address.
  void resolve() {
    for (const std::uint32_t recipients : {2U, 4U}) {
      const auto id = add(1);
      if (recipients == 4) settle(id, {outcome(0, deferred)});
      auto made = envelope(recipients);
      made.recipients.back() = *mail::Mailbox::from_wire("somebody.else@example.com");
      commit(ReplaceEnvelope{id, std::move(made)});
    }
  }

  void tell_senders() {
    const auto finished = add(1);
    settle(finished, {outcome(0, failed)});
    add(1, {.settles = Settlement{finished, {0}, false}});
    const auto late = add(2);
    settle(late, {outcome(0, deferred), outcome(1, deferred)});
    add(1, {.settles = Settlement{late, {}, true}});
    const auto both = add(3);
    settle(both, {outcome(0, failed), outcome(1, deferred), outcome(2, failed)});
    add(1, {.settles = Settlement{both, {0}, false}});
    add(1, {.settles = Settlement{both, {2}, true}});
  }

  PosixDisk disk_;
  SteadyClock clock_;
  EngineOptions options_{.segment_bytes = kSegmentBytes,
                         .spare_segments = 4,
                         .max_message_bytes = kMaxInlineContent * 4,
                         .max_spool_bytes = kSegments * kSegmentBytes,
                         .salt = 1};
  std::unique_ptr<Engine> engine_;
  std::vector<QueueId> ids_;
};

/// As a crash leaves it: of the last group only the first block is on the disk.
void tear_last_group(const std::string& folder) {
  PosixDisk disk(UniqueFd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  std::string name;
  std::uint64_t offset = 0;
  must(walk_log(disk, [&](const LogEntry& entry) {
    name = entry.file;
    offset = entry.offset;
  }));
  const auto file = must(disk.open(name));
  must(file->write((offset / kBlock + 1) * kBlock, std::string(kBlock, '\0')));
}

/// What a log alone tells of each id: live, finished, or never committed.
std::string ids_text(const std::vector<QueueId>& ids, const Engine& engine) {
  std::string text;
  for (const auto id : ids) {
    const bool known = engine.was_committed(id);
    const auto* what = engine.contains(id) ? "live" : known ? "finished" : "unknown";
    text += fmt::format("{} {}\n", what, to_string(id));
  }
  return text;
}

void check_kinds(const std::set<std::string>& kinds) {
  std::vector<std::string> missing;
  std::ranges::set_difference(kinds_of(version_written()), kinds, std::back_inserter(missing));
  if (!missing.empty()) give_up(fmt::format("not in the spool: {}", fmt::join(missing, ", ")));
}

void write(const std::filesystem::path& folder) {
  const auto spool = folder / "spool";
  std::filesystem::create_directories(spool);
  Author author(spool);
  author.start();
  author.one_of_each();
  author.backlog();
  author.traffic();
  author.one_of_each();
  author.start();
  author.one_of_each();
  author.write_checkpoint();
  author.one_of_each();
  author.leave_content();
  author.add(1, {.octets = 2 * kBlock});
  tear_last_group(spool);
  author.look(CheckpointUse::where_it_fits,
              [](OverlayDisk& disk, Engine& engine) { check_kinds(must(kinds_in(disk, engine))); });
  author.look(CheckpointUse::none, [&](OverlayDisk&, Engine& engine) {
    std::ofstream(folder / "messages.jsonl") << must(account_of(engine));
    std::ofstream(folder / "ids.txt") << ids_text(author.ids(), engine);
  });
}

}  // namespace
}  // namespace sternpost::spool

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: write_spool FOLDER\n");
    return 2;
  }
  sternpost::spool::write(argv[1]);
  return 0;
}
