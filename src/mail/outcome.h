// What became of one recipient in one attempt.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

#include "base/codec.h"
#include "base/time.h"
#include "mail/status.h"

namespace sternpost::mail {

enum class Disposition : unsigned char {
  delivered,  ///< final: handed over, durably
  failed,     ///< final: permanent failure; a notice may be owed
  deferred,   ///< not final: to be tried again
  deleted,    ///< final: taken out by the administrator
  bounced,    ///< final: failed, and whoever is to know of it was told
};

constexpr bool is_final(Disposition d) {
  return d != Disposition::deferred;
}

/// The result for the recipient with this index in the message's latest envelope record.
struct RecipientOutcome {
  std::uint32_t recipient = 0;
  Disposition disposition = Disposition::deferred;
  Reply reply;         ///< what the next hop, or the agent in its place, said; text at most 512 octets
  WallTime attempted;  ///< when; the retry schedule follows from it
  /// The host that said `reply`, "mx.example.org [192.0.2.1]"; empty where we came to it ourselves. At most
  /// kMaxRemote octets.
  std::string remote = {};

  static constexpr std::size_t kMaxRemote = 320;

  /// What is told of the attempt, which a short account of it leaves out.
  [[nodiscard]] std::size_t text_bytes() const { return reply.text.size() + remote.size(); }
  void drop_texts() {
    reply.text.clear();
    remote.clear();
  }

  bool operator==(const RecipientOutcome&) const = default;
  static constexpr auto fields() {
    return std::tuple(&RecipientOutcome::recipient, &RecipientOutcome::disposition, &RecipientOutcome::reply,
                      &RecipientOutcome::attempted, &RecipientOutcome::remote);
  }
};

}  // namespace sternpost::mail

namespace sternpost {
template <>
inline constexpr unsigned kEnumBound<mail::Disposition> = 5;
}
