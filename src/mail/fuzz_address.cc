// Addresses from the network: what is taken means the same when it is written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mail/address.h"

using namespace sternpost::mail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto domain = Domain::from_wire(text)) {
    if (domain->to_wire().size() > 255 || Domain::from_wire(domain->to_wire()) != domain) std::abort();
  }
  if (const auto mailbox = Mailbox::from_wire(text)) {
    const auto wire = mailbox->to_wire();
    if (wire.size() > 320 || Mailbox::from_wire(wire) != mailbox) std::abort();
    for (const char c : wire) {
      if (c < ' ' || c > '~') std::abort();
    }
  }
  return 0;
}
