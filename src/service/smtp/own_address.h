// Whether an address is one of this host's.
#pragma once

#include <string>

namespace sternpost::smtp_client {

/// Asks the kernel's routing, which sends mail for an address of this host from that address; no packet is
/// sent. False where the kernel cannot say.
bool is_address_of_this_host(const std::string& address);

}  // namespace sternpost::smtp_client
