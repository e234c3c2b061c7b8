// Which connections would come to this server itself.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "config/slices.h"

namespace sternpost::smtp_client {

/// Known by the listeners and the configured addresses alone. Where a listener takes all addresses of this
/// host, only a connection shows whether an address is one of them: see everywhere().
class OwnAddresses {
 public:
  /// Port 0 stands for all ports.
  explicit OwnAddresses(std::vector<config::Listener> listeners) : listeners_(std::move(listeners)) {}

  [[nodiscard]] bool include(std::string_view address, std::uint16_t port) const;
  /// Whether a connection to this port of any address of this host comes to this server.
  [[nodiscard]] bool everywhere(std::uint16_t port) const;

 private:
  std::vector<config::Listener> listeners_;
};

}  // namespace sternpost::smtp_client
