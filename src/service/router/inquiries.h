// Questions to the router that wait for what users and dns know, and a short memory of what users said.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "route/router.h"
#include "service/dns/protocol.h"

namespace sternpost::router {

using SteadyTime = std::chrono::steady_clock::time_point;

/// What another compartment is asked about: a user of the system, or the MX records of a domain.
struct Topic {
  enum class Of : unsigned char { user, mx };
  Of of = Of::user;
  std::string name;
  auto operator<=>(const Topic&) const = default;
};

/// The answer, of the kind that the topic is.
using Finding = std::variant<route::UserState, route::MxAnswer>;

/// "unavailable" as an answer about this topic.
Finding unavailable(const Topic& topic, std::string why);

/// One lookup serves all questions that wait for that topic. A lookup without an answer in time is taken as
/// "unavailable", which a ruling turns into 451; so is every question beyond kMaxWaiting. What is known of
/// users is remembered for a moment; the DNS has a cache of its own.
class Inquiries {
 public:
  using Decide = std::function<route::Decision(const route::Known&)>;
  using Answer = std::function<void(route::Ruling&&)>;

  static constexpr std::chrono::seconds kPositiveLife{10};
  static constexpr std::chrono::seconds kNegativeLife{1};
  static constexpr std::chrono::seconds kPatience{5};
  static constexpr std::chrono::seconds kPatienceWithDns{dns::kAskersPatience};
  static constexpr std::size_t kMaxWaiting = 100'000;
  static constexpr std::size_t kMaxRemembered = 10'000;

  /// Calls `answer` exactly once: at once where the ruling needs no lookup, otherwise from learned() or
  /// expire().
  void ask(Decide decide, Answer answer, SteadyTime now);

  /// Topics of one kind that became wanted since the last call and still are, at most kMaxWaiting.
  std::vector<std::string> take_wanted(Topic::Of of);
  /// All that questions wait for, for a channel that is new.
  [[nodiscard]] std::vector<std::string> all_wanted(Topic::Of of) const;

  void learned(const Topic& topic, const Finding& finding, SteadyTime now);
  /// Gives up on lookups whose time is over.
  void expire(SteadyTime now);
  /// When expire() has something to do next.
  [[nodiscard]] std::optional<SteadyTime> next_expiry() const;

 private:
  struct Question {
    Decide decide;
    Answer answer;
    route::Known known;
  };
  struct Lookup {
    SteadyTime deadline;
    std::vector<Question> waiting;
  };
  struct Memory {
    route::UserState state = route::UserState::unknown;
    SteadyTime until;
  };

  void advance(Question&& question, SteadyTime now);
  std::set<std::string>& wanted(Topic::Of of) { return wanted_.at(static_cast<std::size_t>(of)); }
  [[nodiscard]] const Memory* recall(const Topic& topic, SteadyTime now) const;
  void remember(const std::string& name, route::UserState state, SteadyTime now);

  std::map<Topic, Lookup> lookups_;
  std::unordered_map<std::string, Memory> memory_;
  /// Of all lookups, so that only those whose time is over are visited.
  std::set<std::pair<SteadyTime, Topic>> deadlines_;
  std::array<std::set<std::string>, 2> wanted_;  ///< by Topic::Of
  std::size_t waiting_ = 0;
};

}  // namespace sternpost::router
