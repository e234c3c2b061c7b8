#include "mail/delay_warning.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "mail/header.h"

namespace sternpost::mail {
namespace {

/// The value of Auto-Submitted without parameters and comments.
std::string_view keyword(std::string_view value) {
  return trimmed(value.substr(0, value.find_first_of(";(")));
}

}  // namespace

bool should_warn(const ReversePath& reverse_path, std::string_view content) {
  if (!reverse_path) return false;
  constexpr std::array<std::string_view, 3> kMassMail = {"bulk", "list", "junk"};
  HeaderReader reader(content);
  while (const auto field = reader.next()) {
    if (same_field_name(field->name, "List-Id")) return false;
    const bool auto_submitted = same_field_name(field->name, "Auto-Submitted");
    const bool precedence = same_field_name(field->name, "Precedence");
    if (!auto_submitted && !precedence) continue;
    const auto value = unfold(field->value);
    const auto word = keyword(value);
    const auto same = [word](std::string_view other) { return equals_ignoring_case(word, other); };
    if (auto_submitted && !same("no")) return false;
    if (precedence && std::ranges::any_of(kMassMail, same)) return false;
  }
  return true;
}

}  // namespace sternpost::mail
