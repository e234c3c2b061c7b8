// A message that only waits, in as few bytes as its state takes: there can be a million of them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "queue/entry.h"

namespace sternpost::queue {

/// What Entry::only_waits() says may be folded: a block of about 20 octets, and 2 to 10 for each further
/// recipient. All but the addresses, which are in spool, and what follows from the rest.
class FoldedEntry {
 public:
  explicit FoldedEntry(const Entry& entry);

  /// As it was, but not fresh and without addresses.
  [[nodiscard]] Entry unfold() const;
  /// The same into an entry whose memory is used again, to look at many.
  void unfold_to(Entry& entry) const;
  /// Its timer, without unfolding it.
  [[nodiscard]] std::optional<WallTime> timer() const;

 private:
  std::unique_ptr<const char[]> octets_;
};

/// The octets that a folded entry consists of.
std::string fold(const Entry& entry);

}  // namespace sternpost::queue
