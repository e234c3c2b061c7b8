// Channel between admin and spool: the queue as the administrator sees it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/codec.h"
#include "base/queue_id.h"
#include "mail/envelope.h"
#include "mail/outcome.h"

namespace sternpost::spool_admin {

/// Holds one message with 10,000 recipients of 320 octets.
inline constexpr std::size_t kMaxFrame = 4 * 1024 * 1024;
/// The most entries of one Listed.
inline constexpr std::uint32_t kMaxListed = 256;

struct List {
  std::uint64_t request = 0;
  std::uint64_t after = 0;  ///< the position that the last Listed gave; 0 begins
  std::uint32_t max = 0;    ///< at most kMaxListed
  static constexpr auto fields() { return std::tuple(&List::request, &List::after, &List::max); }
};

struct Show {
  std::uint64_t request = 0;
  QueueId id;
  static constexpr auto fields() { return std::tuple(&Show::request, &Show::id); }
};

enum class Action : unsigned char { hold, release, remove };

struct Act {
  std::uint64_t request = 0;
  QueueId id;
  Action action = Action::hold;
  std::uint32_t uid = 0;  ///< of who asked for it, by admin's word: a fact of the record
  static constexpr auto fields() { return std::tuple(&Act::request, &Act::id, &Act::action, &Act::uid); }
};

/// How many messages are in the queue?
struct Count {
  std::uint64_t request = 0;
  static constexpr auto fields() { return std::tuple(&Count::request); }
};

using ToSpool = std::variant<List, Show, Act, Count>;

enum class State : unsigned char {
  queued,
  active,
  deferred,
  held,
  owing,  ///< nobody is left to try; a recipient failed, and its sender is owed a notice
};

struct RecipientEntry {
  std::uint32_t index = 0;
  mail::Mailbox address;
  bool finished = false;
  std::uint32_t attempts = 0;
  std::optional<mail::RecipientOutcome> last;
  static constexpr auto fields() {
    return std::tuple(&RecipientEntry::index, &RecipientEntry::address, &RecipientEntry::finished,
                      &RecipientEntry::attempts, &RecipientEntry::last);
  }
};

struct Entry {
  QueueId id;
  State state = State::queued;
  std::uint64_t bytes = 0;
  WallTime arrival;
  mail::Origin origin;
  mail::ReversePath reverse_path;
  std::vector<RecipientEntry> recipients;
  std::optional<WallTime> next = {};  ///< the next attempt, which qmgr knows and admin fills in
  std::string because = {};           ///< the same of why it waits for that where its turn came already
  static constexpr auto fields() {
    return std::tuple(&Entry::id, &Entry::state, &Entry::bytes, &Entry::arrival, &Entry::origin,
                      &Entry::reverse_path, &Entry::recipients, &Entry::next, &Entry::because);
  }
};

/// Answer to List. `position` 0 means that there are no more.
struct Listed {
  std::uint64_t request = 0;
  std::vector<Entry> entries;
  std::uint64_t position = 0;
  static constexpr auto fields() { return std::tuple(&Listed::request, &Listed::entries, &Listed::position); }
};

/// Answer to Show; no entry where the id is not in the queue.
struct Shown {
  std::uint64_t request = 0;
  std::optional<Entry> entry;
  static constexpr auto fields() { return std::tuple(&Shown::request, &Shown::entry); }
};

/// Answer to Act, after the change is durable. `refused` says why nothing was changed; empty when it was.
struct Acted {
  std::uint64_t request = 0;
  std::string refused;
  static constexpr auto fields() { return std::tuple(&Acted::request, &Acted::refused); }
};

/// Answer to Count.
struct Counted {
  std::uint64_t request = 0;
  std::uint64_t messages = 0;
  static constexpr auto fields() { return std::tuple(&Counted::request, &Counted::messages); }
};

using FromSpool = std::variant<Listed, Shown, Acted, Counted>;

}  // namespace sternpost::spool_admin

namespace sternpost {
template <>
inline constexpr unsigned kEnumBound<spool_admin::Action> = 3;
template <>
inline constexpr unsigned kEnumBound<spool_admin::State> = 5;
}  // namespace sternpost
