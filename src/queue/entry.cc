#include "queue/entry.h"

#include <algorithm>

namespace sternpost::queue {
namespace {

template <class List>
auto lower(List& list, std::uint32_t index) {
  return std::lower_bound(list.begin(), list.end(), index,
                          [](const auto& element, std::uint32_t wanted) { return element.index < wanted; });
}

template <class List>
void sort_unique(List& list) {
  auto before = [](const auto& a, const auto& b) { return a.index < b.index; };
  auto same = [](const auto& a, const auto& b) { return a.index == b.index; };
  if (!std::is_sorted(list.begin(), list.end(), before)) std::sort(list.begin(), list.end(), before);
  list.erase(std::unique(list.begin(), list.end(), same), list.end());
}

}  // namespace

void Entry::normalize() {
  sort_unique(recipients);
  sort_unique(addresses);
}

Recipient* Entry::find(std::uint32_t index) {
  const auto at = lower(recipients, index);
  return at == recipients.end() || at->index != index ? nullptr : &*at;
}

std::span<Recipient> Entry::between(std::uint32_t first, std::uint32_t last) {
  const auto begin = lower(recipients, first);
  auto end = lower(recipients, last);
  if (end != recipients.end() && end->index == last) ++end;
  return {begin, end};
}

const mail::Mailbox* Entry::address(std::uint32_t index) const {
  const auto at = lower(addresses, index);
  return at == addresses.end() || at->index != index ? nullptr : &at->address;
}

Category Entry::sort_out() const {
  if (count(State::in_hand) + count(State::deciding) > 0) return Category::active;
  if (held) return Category::held;
  if (count(State::ready) > 0) return Category::ready;
  if (count(State::unasked) + count(State::asking) + count(State::looking_up) > 0) return Category::routing;
  return recipients.empty() ? Category::owing : Category::deferred;
}

bool Entry::only_waits() const {
  const auto shelved = count(State::waiting) + count(State::parked);
  const auto queued = count(State::ready) + count(State::unasked);
  if (shelved + queued < recipients.size()) return false;
  if (fresh && queued > 0) return false;
  return count(State::unasked) == 0 || addresses.empty();
}

bool Entry::wants_to_tell() const {
  if (held || telling) return false;
  // Who is about to be tried may fail too, and one notice tells of all; but not for hours.
  const bool nobody_is_tried = count(State::waiting) + count(State::parked) == recipients.size();
  if (!nobody_is_tried && (!late || count(State::in_hand) + count(State::deciding) > 0)) return false;
  return !owing.empty() || (late && !warned && !recipients.empty());
}

std::optional<WallTime> Entry::next_time(Seconds warn) const {
  if (held) return std::nullopt;
  std::optional<WallTime> next;
  const auto consider = [&](WallTime time) {
    if (!next || time < *next) next = time;
  };
  if (count(State::waiting) + count(State::parked) > 0) {
    for (const auto& recipient : recipients) {
      if (recipient.state == State::waiting || recipient.state == State::parked) consider(recipient.due);
    }
  }
  if (warn > Seconds(0) && !warned && !late && !recipients.empty()) consider(arrival + warn);
  if (wants_to_tell()) consider(tell_after);
  return next;
}

}  // namespace sternpost::queue
