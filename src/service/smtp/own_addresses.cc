#include "service/smtp/own_addresses.h"

#include <algorithm>

namespace sternpost::smtp_client {
namespace {

bool is_unspecified(std::string_view address) {
  return address == "0.0.0.0" || address == "::";
}

/// Addresses that are this host's everywhere; the kernel connects the unspecified ones to it too.
bool is_always_this_host(std::string_view address) {
  return address.starts_with("127.") || address == "::1" || is_unspecified(address);
}

}  // namespace

bool OwnAddresses::include(std::string_view address, std::uint16_t port) const {
  const bool listed = std::ranges::any_of(listeners_, [&](const config::Listener& own) {
    return own.address == address && (own.port == 0 || own.port == port);
  });
  return listed || (is_always_this_host(address) && everywhere(port));
}

bool OwnAddresses::everywhere(std::uint16_t port) const {
  return std::ranges::any_of(listeners_, [&](const config::Listener& own) {
    return own.port == port && is_unspecified(own.address);
  });
}

}  // namespace sternpost::smtp_client
