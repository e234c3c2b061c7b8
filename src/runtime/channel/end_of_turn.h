// Work that is done once when the loop has run every handler that was ready: writing what was gathered.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <utility>

namespace sternpost {

/// Runs `work` at most once for each turn of the loop, however often it is asked for. Asio runs posted
/// handlers after those that were ready, which is what "end of turn" means here.
class EndOfTurn {
 public:
  EndOfTurn(boost::asio::io_context& loop, std::function<void()> work);

  void schedule();

 private:
  struct State {
    std::function<void()> work;
    bool scheduled = false;
  };

  boost::asio::io_context& loop_;
  std::shared_ptr<State> state_;  // posted handlers hold it weakly: destroying this object cancels them
};

}  // namespace sternpost
