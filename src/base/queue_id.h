// The name of a message in the queue: a counter of the spool that never repeats, printed short.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace sternpost {

/// A queue id. Zero is no id. Printed in base 31 with digits and consonants only, so that it spells no word
/// and survives being read over the telephone.
struct QueueId {
  std::uint64_t value = 0;

  auto operator<=>(const QueueId&) const = default;
  static constexpr auto fields() { return std::tuple(&QueueId::value); }
};

/// At least four characters, without a sign: "000b", "1k9fz".
std::string to_string(QueueId id);

/// The inverse of to_string; nothing for text that no id prints as (at most 13 characters).
std::optional<QueueId> parse_queue_id(std::string_view text);

}  // namespace sternpost

/// The id itself: what was leased one after another, and is used together, lies side by side in a hash table.
template <>
struct std::hash<sternpost::QueueId> {
  std::size_t operator()(sternpost::QueueId id) const noexcept { return static_cast<std::size_t>(id.value); }
};
