// The agent's slice as the settings of delivery::MailboxMap.
#pragma once

#include "config/slices.h"
#include "delivery/mailbox_map.h"

namespace sternpost::virtual_mailbox {

delivery::MapSettings to_settings(const config::VirtualSlice& slice);

}  // namespace sternpost::virtual_mailbox
