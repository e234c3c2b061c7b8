// What is known of the recipients of one message: who is finished, how often the others were tried.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "mail/outcome.h"

namespace sternpost::spool {

/// A recipient for whom there is an outcome; its index is last.recipient.
struct Attempted {
  std::uint32_t attempts = 0;  ///< outcomes so far, without the administrator's
  mail::RecipientOutcome last;

  bool operator==(const Attempted&) const = default;
  static constexpr auto fields() { return std::tuple(&Attempted::attempts, &Attempted::last); }
};

/// The most octets of a reply's text that are kept.
inline constexpr std::size_t kMaxReplyText = 512;

class MessageState {
 public:
  MessageState() = default;
  /// All recipients open.
  MessageState(std::uint32_t recipients, bool is_held)
      : held(is_held), recipients_(recipients), open_(recipients) {}
  /// Nothing where `attempted` names a recipient twice, out of order or beyond `recipients`.
  static std::optional<MessageState> from(std::uint32_t recipients, bool held,
                                          std::vector<Attempted> attempted);

  [[nodiscard]] std::uint32_t recipients() const { return recipients_; }
  /// Recipients that are not finished.
  [[nodiscard]] std::uint32_t open() const { return open_; }
  /// Those with an outcome, by rising index.
  [[nodiscard]] const std::vector<Attempted>& attempted() const { return attempted_; }
  /// The last outcome and the number of attempts; null where there was none.
  [[nodiscard]] const Attempted* find(std::uint32_t recipient) const;
  [[nodiscard]] bool is_open(std::uint32_t recipient) const;

  /// Permanent where `outcomes` is empty or names a recipient that does not exist, is finished, or comes
  /// twice, or a reply text beyond kMaxReplyText.
  [[nodiscard]] Result<void> check(std::span<const mail::RecipientOutcome> outcomes) const;
  /// Takes outcomes that check() passed.
  void apply(std::span<const mail::RecipientOutcome> outcomes);
  /// Makes room for `recipients` (no fewer than there are), all new ones open; forgets the attempts at
  /// `changed`, which are open.
  void resize(std::uint32_t recipients, std::span<const std::uint32_t> changed);

  bool held = false;

  bool operator==(const MessageState&) const = default;

 private:
  std::uint32_t recipients_ = 0;
  std::uint32_t open_ = 0;
  std::vector<Attempted> attempted_;
};

}  // namespace sternpost::spool
