// Who asked what: lookups of the askers become questions to the resolving library, and its answers go back.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/codec.h"
#include "base/time.h"
#include "service/dns/answer_parser.h"
#include "service/dns/protocol.h"

namespace sternpost::dns {

/// Lookups that the library works on while somebody waits for them, at the most: each takes two questions.
inline constexpr std::size_t kMostLookups = 512;
/// Lookups that were given up and that the library still works on, at the most.
inline constexpr std::size_t kMostGivenUp = 512;
/// Askers who wait, all lookups together, at the most: more than router asks about at once, so that smtp
/// finds room beside it.
inline constexpr std::size_t kMostWaiting = 150'000;
/// How long an asker waits altogether: he has his answer before he gives up himself.
inline constexpr Seconds kLongestWait = kAskersPatience - Seconds(5);

struct Patience {
  Milliseconds answer;                     ///< with the library's answer to one lookup; at most `altogether`
  Milliseconds altogether = kLongestWait;  ///< of an asker, the wait for the lookup's turn included
};

/// Lookups for the same kind and name share one answer. Beyond kMostLookups they wait for their turn, in the
/// order of their coming and the two kinds by turns, so that the addresses of the hosts that mail is sent to
/// now do not stand behind the domains of all that comes later. A name that is in the cache waits too: the
/// library does not tell whether it knows a name other than by resolving it.
///
/// Whoever waits too long gets `unavailable`, and where nobody is left to wait for a lookup before its turn,
/// it is not asked. What the library does not answer in time gives its place to the next, and goes on beside
/// it (see Unbound::ask), so that the next who wants it finds it in the cache or joins it. Where kMostGivenUp
/// go on, the others keep their places.
class Resolver {
 public:
  /// Asks one question; `done` is called once, perhaps at once.
  using Ask = std::function<void(const std::string& name, RecordType type,
                                 std::function<void(const RawAnswer&)> done)>;
  using Done = std::function<void(Answer&& answer)>;
  /// Tells askers apart; nothing is read through it.
  using Asker = const void*;

  struct Counts {
    std::uint64_t lookups = 0;
    std::uint64_t coalesced = 0;  ///< lookups that joined one under way or waiting
    std::uint64_t queued = 0;     ///< lookups that had to wait for their turn
    std::uint64_t given_up = 0;   ///< lookups that the library did not answer in time
    std::uint64_t found = 0, no_data = 0, no_name = 0, unavailable = 0, bogus = 0;
    std::uint64_t secure = 0;  ///< answers of any outcome
  };

  /// What `ask` calls back must not outlive the Resolver.
  Resolver(boost::asio::io_context& loop, Patience patience, Ask ask)
      : patience_(patience), ask_(std::move(ask)), timer_(loop) {}
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// `name` is_dns_name. `done` gets the answer, with request 0: once, perhaps before this returns, and never
  /// after forget(asker).
  void look_up(Kind kind, const std::string& name, Asker asker, Done done);
  /// The asker went away. What is under way for it goes on, what waits is dropped.
  void forget(Asker asker);

  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  using Key = std::pair<Kind, std::string>;
  using Time = std::chrono::steady_clock::time_point;
  struct Waiter {
    Time since;
    Key key;
    Asker asker;
    Done done;
  };
  /// By when they give up.
  using Waiters = std::multimap<Time, Waiter>;
  /// In a queue, or where it is `asked`.
  struct Place {
    Key key;
    Time until = {};  ///< when it is given up, once it is asked
  };
  using Places = std::list<Place>;
  enum class Stage : unsigned char { queued, asked, given_up };
  struct Entry {
    Stage stage = Stage::queued;
    Places::iterator place;                ///< unless it is given up
    std::list<Waiters::iterator> waiting;  ///< in the order in which they give up
    std::optional<Answer> first;           ///< of two questions
  };
  using Entries = std::map<Key, Entry>;

  void ask_next();
  Places* next_queue();
  void begin(Places& queue);
  void ask(const Key& key);
  void take(const Key& key, RecordType type, const RawAnswer& raw);
  void finish(const Key& key, Answer&& answer);
  void reply(const Done& done, Answer&& answer);
  void expire();
  void give_up(Time time);
  Entries::iterator drop_unwanted(Entries::iterator entry);
  [[nodiscard]] std::optional<Time> due() const;
  void set_timer();

  Patience patience_;
  Ask ask_;
  boost::asio::steady_timer timer_;
  std::optional<Time> timer_due_;  ///< while it runs
  Entries entries_;
  Waiters waiters_;
  std::array<Places, kEnumBound<Kind>> queues_;
  std::size_t turn_ = 0;  ///< which queue was asked from last
  Places asked_;          ///< the longest first
  std::size_t given_up_ = 0;
  bool asking_ = false;
  Counts counts_;
};

}  // namespace sternpost::dns
