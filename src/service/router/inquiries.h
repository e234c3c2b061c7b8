// Questions to the router that wait for what the compartment users knows, and a short memory of its answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "route/router.h"

namespace sternpost::router {

using SteadyTime = std::chrono::steady_clock::time_point;

/// One lookup serves all questions that wait for that name. A lookup without an answer within kPatience is
/// taken as "unavailable", which a ruling turns into 451; so is every question beyond kMaxWaiting.
class Inquiries {
 public:
  using Decide = std::function<route::Decision(const route::KnownUsers&)>;
  using Answer = std::function<void(route::Ruling&&)>;

  static constexpr std::chrono::seconds kPositiveLife{10};
  static constexpr std::chrono::seconds kNegativeLife{1};
  static constexpr std::chrono::seconds kPatience{5};
  static constexpr std::size_t kMaxWaiting = 100'000;
  static constexpr std::size_t kMaxRemembered = 10'000;

  /// Calls `answer` exactly once: at once where the ruling needs no lookup, otherwise from learned() or
  /// expire().
  void ask(Decide decide, Answer answer, SteadyTime now);

  /// Names that became wanted since the last call and still are, at most kMaxWaiting.
  std::vector<std::string> take_wanted();
  /// All names that questions wait for, for a users channel that is new.
  [[nodiscard]] std::vector<std::string> all_wanted() const;

  void learned(const std::string& name, route::UserState state, SteadyTime now);
  /// Gives up on lookups whose time is over.
  void expire(SteadyTime now);
  /// When expire() has something to do next.
  [[nodiscard]] std::optional<SteadyTime> next_expiry() const;

 private:
  struct Question {
    Decide decide;
    Answer answer;
    route::KnownUsers known;
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
  [[nodiscard]] const Memory* recall(const std::string& name, SteadyTime now) const;
  void remember(const std::string& name, route::UserState state, SteadyTime now);

  std::map<std::string, Lookup> lookups_;
  std::unordered_map<std::string, Memory> memory_;
  std::set<std::string> wanted_;
  std::size_t waiting_ = 0;
};

}  // namespace sternpost::router
