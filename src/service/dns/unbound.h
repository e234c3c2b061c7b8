// libunbound's validating resolver on our event loop, with every option that we set.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "config/slices.h"
#include "service/dns/answer_parser.h"
#include "service/dns/event_base.h"

struct ub_ctx;

namespace sternpost::dns {

/// Questions that libunbound works on at the same time, at the most. Each may hold some KiB and a socket.
inline constexpr std::size_t kMostQuestions = 2'048;

struct UnboundSettings {
  std::vector<config::Listener> servers;  ///< recursive servers to forward to; empty: asks from the root
  std::vector<std::string> trust_anchor;  ///< records, see parse_trust_anchor
  std::uint64_t cache_bytes = 0;          ///< all caches together
};

class Unbound {
 public:
  /// The views in the answer live as long as the call.
  using Done = std::function<void(const RawAnswer& answer)>;

  /// Permanent error where a setting is refused, naming its key. `loop` has to outlive it.
  static Result<std::unique_ptr<Unbound>> make(boost::asio::io_context& loop,
                                               const UnboundSettings& settings);

  ~Unbound();
  Unbound(const Unbound&) = delete;
  Unbound& operator=(const Unbound&) = delete;

  /// Asks for the records of `type` at `name`, which is_dns_name. `done` is called once, perhaps before this
  /// returns, unless the Unbound is destroyed before. libunbound gives up by itself after some minutes; a
  /// question cannot be taken back, for cancelling does not work with an event base (libunbound would free it
  /// and use it later). The caller keeps to kMostQuestions.
  void ask(const std::string& name, RecordType type, Done done);

  /// Questions without an answer yet.
  [[nodiscard]] std::size_t open() const { return open_.size(); }

 private:
  struct Question {
    Unbound* owner;
    std::uint64_t number;
  };
  struct Open {
    std::unique_ptr<Question> question;
    Done done;
  };

  explicit Unbound(boost::asio::io_context& loop) : base_(loop) {}

  Result<void> configure(const UnboundSettings& settings);
  Result<void> set(const char* option, const std::string& value);
  static void on_answer(void* question, int rcode, void* packet, int size, int security, char* why_bogus,
                        int was_ratelimited);
  void finish(std::uint64_t number, const RawAnswer& answer);

  EventBase base_;
  ub_ctx* context_ = nullptr;
  std::unordered_map<std::uint64_t, Open> open_;
  std::uint64_t next_ = 1;
};

/// Has libunbound initialise all that it does once in a process; to be called before confinement.
Result<void> warm_up_unbound();

}  // namespace sternpost::dns
