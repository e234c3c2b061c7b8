// How a compartment waits: the loop that runs its handlers, and what it does before it sleeps.
#pragma once

#include <boost/asio/io_context.hpp>

namespace sternpost {

/// Whether a process that has nothing to do lets others go first before it sleeps: always while that brings
/// something to do, and more and more seldom while it does not.
class Courtesy {
 public:
  /// Sleeps that are passed over at most.
  static constexpr unsigned kLongestPause = 63;

  /// Asked once before each sleep.
  [[nodiscard]] bool due();
  /// What it brought when it was due.
  void tried(bool brought_work);

 private:
  unsigned pause_ = 0;
  unsigned sleeps_left_ = 0;
};

/// Runs the loop until it is stopped or out of work. Before it sleeps, processes that are ready to run may go
/// first: under load they are the ones that send us what comes next, and it is taken together, without a
/// sleep and a wake-up for each. Nothing waits for time to pass.
void run_loop(boost::asio::io_context& loop);

}  // namespace sternpost
