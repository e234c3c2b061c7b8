// What a compartment does about a peer that it cannot do without and whose channel is gone.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>

#include "base/time.h"
#include "runtime/compartment.h"

namespace sternpost {

/// Master makes channels when a process starts. A peer that ended is started again, at once or after a delay
/// that master says, and comes with a new channel; where none comes in time both live and the channel broke
/// between them, which nobody else sees.
class PeerWatch {
 public:
  /// `on_lost` is called once for each loss, from the loop.
  PeerWatch(boost::asio::io_context& loop, std::function<void(Compartment row)> on_lost);

  /// How long a new channel may take; longer than the restart of a peer does.
  void set_grace(Milliseconds grace) { grace_ = grace; }

  /// No channel to `row` is left.
  void gone(Compartment row);
  /// A new one has come.
  void came(Compartment row);

 private:
  boost::asio::io_context& loop_;
  Milliseconds grace_{};
  std::function<void(Compartment)> on_lost_;
  std::map<Compartment, std::shared_ptr<boost::asio::steady_timer>> waiting_;
};

}  // namespace sternpost
