// Questions to router: may this recipient be accepted? Every question gets an answer, in bounded time.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>

#include "service/router/protocol.h"
#include "service/smtpd/peer_lines.h"
#include "service/smtpd/smtpd_session.h"

namespace sternpost::smtpd {

class RouterLink {
 public:
  struct Question {
    std::uint64_t session = 0;
    std::uint32_t engine_request = 0;
    router::Verify verify;  ///< its number is given here
  };
  struct Handlers {
    std::function<void(const Question& question, const mail::Reply& reply, const Rule& rule)> on_answer;
    /// A channel is gone; `last`: there is no other.
    std::function<void(const Error& why, bool last)> on_closed;
  };

  RouterLink(boost::asio::io_context& loop, TrafficCounters& counters, Handlers handlers);

  /// A channel to a new router; what the last one left unanswered is asked again.
  void connect(UniqueFd socket);

  void ask(Question question, SteadyTime now);

  /// Gives 451 to what has waited for too long: 10 seconds without a router, 30 with one.
  void sweep(SteadyTime now);

  [[nodiscard]] std::size_t outstanding() const { return outstanding_.size(); }

 private:
  struct Asked {
    Question question;
    std::uint32_t epoch = 0;  ///< of the channel it was asked on; 0 while there is none
    SteadyTime since;
  };

  Result<void> on_verdict(router::Verdict&& verdict);
  void on_closed(std::uint32_t epoch, const Error& why);
  void ask_again();

  Handlers handlers_;
  PeerLines<router::ToIntake, router::FromIntake> lines_;
  std::unordered_map<std::uint64_t, Asked> outstanding_;
  std::uint64_t last_request_ = 0;
};

}  // namespace sternpost::smtpd
