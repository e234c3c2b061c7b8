#include "protocol/smtp/hello.h"

#include <algorithm>

#include "base/ascii.h"

namespace sternpost::smtp::verbs {
namespace {

constexpr std::size_t kMaxName = 255;

}  // namespace

bool greet(Conversation& conversation, std::string_view name, bool extended) {
  const bool printable = std::ranges::all_of(name, is_printable);
  if (name.empty() || name.size() > kMaxName || !printable) {
    conversation.refuse({501, {5, 5, 4}, "Say who you are: a domain or an address literal"},
                        built_in("RFC 5321 4.1.1.1"));
    return false;
  }
  conversation.helo = name;
  conversation.extended = extended;
  conversation.reset_transaction();
  return true;
}

}  // namespace sternpost::smtp::verbs
