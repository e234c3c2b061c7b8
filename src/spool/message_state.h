// What is known of the recipients of one message: who is open, for whom a notice is owed, who is settled, and
// how often each was tried.
//
// A recipient is open until its first final outcome. One that failed owes a notice to the sender; nothing but
// that notice, or the administrator's *deleted*, settles it, so that no accepted message leaves the queue
// without a word.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/queue_id.h"
#include "base/result.h"
#include "mail/outcome.h"

namespace sternpost::spool {

/// Where a record is.
struct RecordPlace {
  std::uint32_t slot = 0;
  std::uint32_t offset = 0;

  auto operator<=>(const RecordPlace&) const = default;
};

/// The slot of a record that is in the group being built; its offset is in the group.
inline constexpr std::uint32_t kThisGroup = UINT32_MAX;

/// A recipient for whom there is an outcome; its index is last.recipient.
struct Attempted {
  std::uint32_t attempts = 0;   ///< outcomes so far, without the administrator's
  mail::RecipientOutcome last;  ///< without its texts where these are read from a record
  RecordPlace texts_at = {};
  std::uint32_t texts_bytes = 0;  ///< octets of texts that `texts_at` has; 0: none, or they are in `last`

  [[nodiscard]] std::uint64_t text_bytes() const { return last.text_bytes() + texts_bytes; }
  void drop_texts_on_disk() {
    texts_at = {};
    texts_bytes = 0;
  }
  void drop_texts() {
    last.drop_texts();
    drop_texts_on_disk();
  }

  bool operator==(const Attempted&) const = default;
  static constexpr auto fields() { return std::tuple(&Attempted::attempts, &Attempted::last); }
};

/// What encode() makes of an Attempted, beyond its texts.
inline constexpr std::uint64_t kAttemptedBytes = 4 + 4 + 1 + 2 + 1 + 2 + 2 + 4 + 8 + 4;

/// What a notice does to the message that it tells of.
struct Settlement {
  QueueId id;
  std::vector<std::uint32_t> recipients;  ///< that failed, by rising index: the notice tells of them
  bool warns = false;                     ///< the notice tells that others are late

  bool operator==(const Settlement&) const = default;
  static constexpr auto fields() {
    return std::tuple(&Settlement::id, &Settlement::recipients, &Settlement::warns);
  }
};

/// The most octets of a reply's text that are kept.
inline constexpr std::size_t kMaxReplyText = 512;
/// The most octets of texts that are kept for all deferred recipients of one message together.
inline constexpr std::uint64_t kMaxDeferredTexts = 16 * 1024;

class MessageState {
 public:
  MessageState() = default;
  /// All recipients open.
  MessageState(std::uint32_t recipients, bool is_held)
      : held(is_held), recipients_(recipients), open_(recipients) {}
  /// Nothing where `attempted` names a recipient twice, out of order or beyond `recipients`.
  static std::optional<MessageState> from(std::uint32_t recipients, bool held, bool warned,
                                          std::vector<Attempted> attempted);

  [[nodiscard]] std::uint32_t recipients() const { return recipients_; }
  /// Recipients without a final outcome.
  [[nodiscard]] std::uint32_t open() const { return open_; }
  /// Recipients that failed, so that a notice is owed for them.
  [[nodiscard]] std::uint32_t owing() const { return owing_; }
  /// Neither open nor owing: the message is finished.
  [[nodiscard]] bool settled() const { return open_ == 0 && owing_ == 0; }
  /// Those with an outcome, by rising index.
  [[nodiscard]] const std::vector<Attempted>& attempted() const { return attempted_; }
  /// The last outcome and the number of attempts; null where there was none. Its texts may be on the disk
  /// alone.
  [[nodiscard]] const Attempted* find(std::uint32_t recipient) const;
  [[nodiscard]] bool is_open(std::uint32_t recipient) const;
  [[nodiscard]] bool is_owing(std::uint32_t recipient) const;
  /// The bytes that a full record takes for the outcomes, when each recipient was tried.
  [[nodiscard]] std::uint64_t record_bytes() const;

  /// Permanent where `outcomes` is empty or names a recipient that does not exist, is not open (or, for
  /// *deleted* and *bounced*, owing; for *bounced* nothing else), or comes twice, or a reply text beyond
  /// kMaxReplyText.
  [[nodiscard]] Result<void> check(std::span<const mail::RecipientOutcome> outcomes) const;
  /// Takes outcomes that check() passed. It keeps the texts of failures, and of deferrals up to
  /// kMaxDeferredTexts.
  void apply(std::span<const mail::RecipientOutcome> outcomes);
  /// Permanent where a settlement changes nothing, names recipients that owe no notice, or out of order, or
  /// warns a second time.
  [[nodiscard]] Result<void> check(const Settlement& settlement) const;
  /// The same of a settlement that was made once, perhaps after failures that only memory knew of: recipients
  /// that are open here may have failed then.
  [[nodiscard]] bool may_have_taken(const Settlement& settlement) const;
  /// Takes a settlement that one of these passed.
  void apply(const Settlement& settlement);
  /// Makes room for `recipients` (no fewer than there are), all new ones open; forgets the attempts at
  /// `changed`, which are open.
  void resize(std::uint32_t recipients, std::span<const std::uint32_t> changed);

  /// All texts that are in memory, or those of these outcomes, are in the record at `place`: only where is
  /// remembered.
  void leave_texts_in(const RecordPlace& place);
  void leave_texts_in(const RecordPlace& place, std::span<const mail::RecipientOutcome> outcomes);
  /// The group that was being built is here.
  void group_written(const RecordPlace& group);
  /// Takes what was read from the record. False where it does not fit what is remembered of it.
  bool restore_texts(std::uint32_t recipient, std::string_view text, std::string_view remote);
  /// Of all recipients with this disposition.
  void drop_texts(mail::Disposition disposition);
  /// Those that are not in memory.
  void drop_texts_on_disk();

  bool held = false;
  bool warned = false;  ///< the sender was told that the message is late

  bool operator==(const MessageState&) const = default;

 private:
  [[nodiscard]] bool takes(const mail::RecipientOutcome& outcome) const;
  static void leave_texts_in(const RecordPlace& place, Attempted& attempted);
  /// Counts the texts that are kept of this recipient, or no longer.
  void count_texts(const Attempted& attempted, bool add);
  [[nodiscard]] bool keeps_texts(const mail::RecipientOutcome& outcome) const;

  std::uint32_t recipients_ = 0;
  std::uint32_t open_ = 0;
  std::uint32_t owing_ = 0;
  std::uint64_t texts_ = 0;           ///< octets
  std::uint64_t deferred_texts_ = 0;  ///< of these
  std::vector<Attempted> attempted_;
};

}  // namespace sternpost::spool
