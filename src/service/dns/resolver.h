// Who asked what: lookups of the askers become questions to the resolving library, and its answers go back.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/time.h"
#include "service/dns/answer_parser.h"
#include "service/dns/protocol.h"

namespace sternpost::dns {

/// Different lookups that are being answered, at the most: each takes two questions.
inline constexpr std::size_t kMostLookups = 512;
/// Askers who wait, all lookups together, at the most.
inline constexpr std::size_t kMostWaiting = 16'384;

/// Lookups for the same kind and name share one answer. Whoever waits too long gets `unavailable`; what was
/// asked on his behalf goes on, so that the next one finds it in the cache or joins it.
class Resolver {
 public:
  /// Asks one question; `done` is called once, perhaps at once.
  using Ask = std::function<void(const std::string& name, RecordType type,
                                 std::function<void(const RawAnswer&)> done)>;
  using Done = std::function<void(Answer&& answer)>;

  struct Counts {
    std::uint64_t lookups = 0;
    std::uint64_t coalesced = 0;  ///< lookups that joined one under way
    std::uint64_t found = 0, no_data = 0, no_name = 0, unavailable = 0, bogus = 0;
    std::uint64_t secure = 0;  ///< answers of any outcome
  };

  /// `patience`: how long an asker waits. What `ask` calls back must not outlive the Resolver.
  Resolver(boost::asio::io_context& loop, Milliseconds patience, Ask ask)
      : patience_(patience), ask_(std::move(ask)), timer_(loop) {}
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// `name` is_name. `done` gets the answer, with request 0: once, perhaps before this returns.
  void look_up(Kind kind, const std::string& name, Done done);

  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  using Key = std::pair<Kind, std::string>;
  struct Waiting {
    std::chrono::steady_clock::time_point until;
    Key key;
    Done done;
  };
  using WaitingList = std::list<Waiting>;
  struct Entry {
    std::list<WaitingList::iterator> waiting;
    std::optional<Answer> first;  ///< of two questions
  };

  void ask(const Key& key);
  void take(const Key& key, RecordType type, const RawAnswer& raw);
  void finish(const Key& key, Answer&& answer);
  void reply(const Done& done, Answer&& answer);
  void expire();
  void set_timer();

  Milliseconds patience_;
  Ask ask_;
  boost::asio::steady_timer timer_;
  bool timer_runs_ = false;
  std::map<Key, Entry> entries_;
  WaitingList waiting_;  ///< the longest first
  Counts counts_;
};

}  // namespace sternpost::dns
