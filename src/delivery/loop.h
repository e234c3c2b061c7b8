// Mail that has been here before (RFC 5321 section 6.3).
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "mail/address.h"
#include "mail/status.h"

namespace sternpost::delivery {

/// More Received fields than this are a loop. RFC 5321 section 6.3 asks for at least 100.
inline constexpr std::size_t kMaxHops = 100;

/// The reply that ends a loop: a Delivered-To field names this recipient already, or there are too many hops.
/// Reads the header only, as far as mail::HeaderBounds allows. Nothing where there is no loop.
std::optional<mail::Reply> find_loop(std::string_view content, const mail::Mailbox& recipient);

}  // namespace sternpost::delivery
