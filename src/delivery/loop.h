// Mail that has been here before (RFC 5321 section 6.3).
#pragma once

#include <optional>
#include <string_view>

#include "mail/address.h"
#include "mail/status.h"

namespace sternpost::delivery {

/// The reply that ends a loop: a Delivered-To field names this recipient already. Reads the header only, as
/// far as mail::HeaderBounds allows. Nothing where there is no loop. Received fields are counted where mail
/// is accepted: what was accepted and goes no further than a mailbox is not refused for them.
std::optional<mail::Reply> find_loop(std::string_view content, const mail::Mailbox& recipient);

}  // namespace sternpost::delivery
