// What the scheduler knows of one message while it works on it: 40 bytes and the address for each recipient.
// What only waits is folded (folded_entry.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "queue/events.h"
#include "queue/sites.h"

namespace sternpost::queue {

enum class State : unsigned char {
  waiting,     ///< for its time, or for the message's release
  unasked,     ///< its route is to be asked for
  asking,      ///< router was asked
  ready,       ///< waits for its turn at its site
  parked,      ///< the same at a site that is down; its due time is that of its expiry
  in_hand,     ///< an agent works on it, or will once spool has handed the job over
  deciding,    ///< its outcome was decided here and is not durable yet
  looking_up,  ///< spool was asked for its address, so that router can be asked
};
inline constexpr std::size_t kStates = 8;

inline constexpr std::uint32_t kNoJob = UINT32_MAX;

struct Recipient {
  std::uint32_t index = 0;
  std::uint32_t attempts = 0;
  SiteId site = kNoSite;  ///< kNoSite: never routed
  std::uint32_t job = kNoJob;
  State state = State::waiting;
  bool routed = false;  ///< the site is to be tried; otherwise router is asked before the next attempt
  WallTime due;
  bool operator==(const Recipient&) const = default;
};

/// What a message waits for first of all; see Counts.
enum class Category : unsigned char { active, ready, routing, held, deferred, owing };
inline constexpr std::size_t kCategories = 6;

struct Entry {
  WallTime arrival;
  bool held = false;
  bool fresh = false;                         ///< it has not been folded since it was pulled
  std::vector<Recipient> recipients;          ///< those not finished, by index
  std::vector<AddressedRecipient> addresses;  ///< by index, of finished ones too; none of what was folded
  std::vector<std::uint32_t> owing;           ///< failed, and the sender is not told yet
  bool warned = false;                        ///< the sender knows that it is late
  bool late = false;                          ///< he should
  bool telling = false;                       ///< he is being told
  WallTime tell_after;                        ///< not before
  std::array<std::uint32_t, kStates> in_state{};
  Category category = Category::deferred;
  std::uint32_t counted = 0;      ///< recipients, as the category was settled last
  bool asked = false;             ///< router or spool owes an answer, as it was settled last
  std::optional<WallTime> timer;  ///< next_time(), as it was settled last

  /// Sorts both lists by index and drops repeated indexes.
  void normalize();
  [[nodiscard]] Recipient* find(std::uint32_t index);
  /// Those with an index from `first` to `last`, both included.
  [[nodiscard]] std::span<Recipient> between(std::uint32_t first, std::uint32_t last);
  /// Null where it is not known any more. It is while router is being asked.
  [[nodiscard]] const mail::Mailbox* address(std::uint32_t index) const;

  void set(Recipient& recipient, State state) {
    --in_state[static_cast<std::size_t>(recipient.state)];
    recipient.state = state;
    ++in_state[static_cast<std::size_t>(state)];
  }
  [[nodiscard]] std::uint32_t count(State state) const { return in_state[static_cast<std::size_t>(state)]; }
  [[nodiscard]] Category sort_out() const;
  /// It may be folded: nobody works on it, and what would be forgotten is not needed soon. A fresh message on
  /// its way to its first attempt is not, for it would only be unfolded again.
  [[nodiscard]] bool only_waits() const;
  /// Nothing is left to do for it.
  [[nodiscard]] bool done() const { return recipients.empty() && owing.empty(); }
  /// The sender is to be told of something: of all at once, as soon as nobody is being tried, or where the
  /// message is late, nobody is in hand.
  [[nodiscard]] bool wants_to_tell() const;
  /// When something is to be done next, by the clock alone; `warn`: the age at which a message is late, 0 for
  /// never.
  [[nodiscard]] std::optional<WallTime> next_time(Seconds warn) const;
};

}  // namespace sternpost::queue
