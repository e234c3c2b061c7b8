#include "config/cross_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_set>

#include "base/printable.h"
#include "config/slices.h"
#include "config/units.h"

namespace sternpost::config {
namespace {

/// What a recipient takes at most in the record of a message: 64 octets of local part, 255 of domain, and
/// what the spool keeps beside them.
constexpr std::uint64_t kRecipientBytes = 340;
/// The reverse-path and the origin of a message, and the spool's own fields.
constexpr std::uint64_t kRestOfRecord = 16 * 1024;

class Checker {
 public:
  explicit Checker(const Values& values) : values_(values) {}

  std::vector<Complaint> run() {
    sizes();
    times();
    domains();
    routes();
    sources();
    mailboxes();
    return std::move(complaints_);
  }

 private:
  [[nodiscard]] bool is_in_file(std::string_view key) const {
    return values_.at(key).origin.from == Origin::From::file;
  }

  /// "spool.segment (64 MiB)"
  [[nodiscard]] std::string with_value(std::string_view key) const {
    const auto& setting = values_.at(key);
    const auto number = values_.number(key);
    const bool is_size = setting.parameter->type == Type::size;
    return fmt::format("{} ({})", key, is_size ? format_size(number) : format_duration(number * 1'000));
  }

  /// Complains where the administrator wrote: at `key`, or at `other` where only that is in the file.
  void complain(std::string_view key, std::string_view other, std::string text) {
    const auto blamed = !is_in_file(key) && is_in_file(other) ? other : key;
    complaints_.push_back({std::string(blamed), values_.at(blamed).origin.line, std::move(text)});
  }

  void sizes() {
    segment();
    queue();
    at_most("smtp.max_text_line", "smtp.max_message");
  }

  void segment() {
    const auto segment = values_.number("spool.segment");
    if (segment % 4096 != 0) {
      complain("spool.segment", "spool.segment",
               fmt::format("{} must be a multiple of 4 KiB", with_value("spool.segment")));
    }
    const auto recipients = values_.number("smtp.max_recipients");
    const auto record = recipients * kRecipientBytes + kInlineContent + kTraceAllowance + kRestOfRecord;
    // No record takes more than half a segment.
    const auto least = (2 * record / kMiB + 1) * kMiB;
    if (segment >= least) return;
    complain("spool.segment", "smtp.max_recipients",
             fmt::format("{} must be at least {} for messages to smtp.max_recipients ({})",
                         with_value("spool.segment"), format_size(least), recipients));
  }

  void queue() {
    const auto segment = values_.number("spool.segment");
    const auto spool = values_.number("spool.max_size");
    const auto spares = values_.number("spool.spare_segments");
    constexpr std::uint64_t kMaxSegments = 32'768;  // of the spool's engine: each is an open file
    if (spool / segment > kMaxSegments) {
      complain("spool.max_size", "spool.segment",
               fmt::format("{} must not be more than {} segments, each of {}", with_value("spool.max_size"),
                           kMaxSegments, with_value("spool.segment")));
    }
    if (spool / segment < spares + 2) {
      complain("spool.max_size", "spool.segment",
               fmt::format("{} must hold {} spare segments and two more, each of {}",
                           with_value("spool.max_size"), spares, with_value("spool.segment")));
    } else if (spool - (spares + 2) * segment < values_.number("smtp.max_message") + kTraceAllowance) {
      complain("smtp.max_message", "spool.max_size",
               fmt::format("{} must fit into {} beside {} spare segments and two more, each of {}",
                           with_value("smtp.max_message"), with_value("spool.max_size"), spares,
                           with_value("spool.segment")));
    }
  }

  void times() { at_most("queue.retry_min", "queue.retry_max"); }

  /// A domain is delivered here by one rule, or handed on.
  void domains() {
    const auto& here = values_.list("domains");
    const auto& listed = values_.list("virtual_domains");
    for (const auto& domain : listed) {
      if (std::ranges::find(here, domain) != here.end()) twice("virtual_domains", "domains", domain);
    }
    for (const auto& domain : values_.list("relay_domains")) {
      if (std::ranges::find(here, domain) != here.end()) twice("relay_domains", "domains", domain);
      if (std::ranges::find(listed, domain) != listed.end())
        twice("relay_domains", "virtual_domains", domain);
    }
  }

  void twice(std::string_view key, std::string_view other, const std::string& domain) {
    complain(key, other, fmt::format("{} is one of {} already", printable(domain, 64), other));
  }

  /// Mail for the domains here is never handed on, so a route of one of them would never be used.
  void routes() {
    for (const auto* const key : {"domains", "virtual_domains"}) {
      const auto& list = values_.list(key);
      const std::unordered_set<std::string_view> here(list.begin(), list.end());
      for (const auto& row : values_.routes("routes")) {
        if (!here.contains(row.pattern)) continue;
        complaints_.push_back({key_of(row), row.line,
                               fmt::format("is not used, for {} is one of {} and its mail is delivered here; "
                                           "expected it in relay_domains instead",
                                           printable(row.pattern, 64), key)});
      }
    }
  }

  static std::string key_of(const RouteRow& row) {
    return fmt::format("routes.\"{}\"", printable(row.pattern, 64));
  }

  /// A connection comes from the source of its family, so a second one of a family would never be used.
  void sources() {
    constexpr std::string_view kTwice =
        "names two addresses of one family; expected one IPv4 address, one IPv6 address, or one of each";
    if (of_one_family(values_.list("smtp_client.source"))) {
      complain("smtp_client.source", "smtp_client.source", std::string(kTwice));
    }
    for (const auto& row : values_.routes("routes")) {
      if (!of_one_family(row.sources)) continue;
      complaints_.push_back({key_of(row), row.line, std::string(kTwice)});
    }
  }

  static bool of_one_family(const std::vector<std::string>& addresses) {
    return addresses.size() == 2 && addresses[0].contains(':') == addresses[1].contains(':');
  }

  void at_most(std::string_view less, std::string_view more) {
    if (values_.number(less) <= values_.number(more)) return;
    complain(less, more, fmt::format("{} must not be more than {}", with_value(less), with_value(more)));
  }

  void mailboxes() {
    const auto& rows = values_.mailboxes("mailboxes.list");
    const auto& virtual_domains = values_.list("virtual_domains");
    auto domains = virtual_domains;
    if (values_.text("mailboxes.source") != "list") {
      if (!rows.empty() && virtual_domains.empty()) {
        complain("mailboxes.list", "mailboxes.list",
                 "is not used, for mailboxes.source is \"system\" and there are no virtual_domains; expected "
                 "source = \"list\" beside it");
        return;
      }
    } else {
      std::ranges::copy(values_.list("domains"), std::back_inserter(domains));
    }
    if (rows.empty() && values_.text("mailboxes.source") == "list") {
      complain("mailboxes.source", "mailboxes.list",
               "\"list\" needs at least one line in the table [mailboxes.list]");
    }
    std::ranges::sort(domains);
    for (const auto& row : rows) {
      const auto domain = row.address.substr(row.address.rfind('@') + 1);
      if (std::ranges::binary_search(domains, domain)) continue;
      complaints_.push_back({fmt::format("mailboxes.list.\"{}\"", printable(row.address, 64)), row.line,
                             fmt::format("{} is not one of the domains", printable(domain, 64))});
    }
  }

  const Values& values_;
  std::vector<Complaint> complaints_;
};

}  // namespace

std::vector<Complaint> cross_check(const Values& values) {
  return Checker(values).run();
}

}  // namespace sternpost::config
