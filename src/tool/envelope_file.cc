#include "tool/envelope_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <initializer_list>

#include "base/checksum.h"
#include "base/printable.h"
#include "runtime/json_text.h"
#include "runtime/record_text.h"
#include "spool/message_state.h"

namespace sternpost::tool {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kVersion = 1;
constexpr std::string_view kVersionKey = "sternpost_envelope";
constexpr std::size_t kMaxDepth = 8;
constexpr std::size_t kMaxOriginText = 1'024;

/// The members of an object, read one by one; the first that is wrong is remembered.
class Fields {
 public:
  Fields(const json::object& object, std::string where, std::string& wrong)
      : object_(object), where_(std::move(where)), wrong_(wrong) {}

  /// Complains about a key that is none of these: a slip of the pen must not be passed over.
  void only(std::initializer_list<std::string_view> keys) {
    for (const auto& member : object_) {
      const std::string_view key = member.key();
      if (std::ranges::find(keys, key) == keys.end()) complain(key, "is not known");
    }
  }
  [[nodiscard]] bool has(std::string_view key) const { return object_.contains(key); }

  std::string text(std::string_view key, bool required = true) {
    const auto* value = find(key, required);
    if (value == nullptr) return {};
    if (const auto* string = value->if_string()) return {string->data(), string->size()};
    complain(key, "must be text");
    return {};
  }
  bool flag(std::string_view key) {
    const auto* value = find(key, false);
    if (value == nullptr) return false;
    if (const auto* flag = value->if_bool()) return *flag;
    complain(key, "must be true or false");
    return false;
  }
  std::uint64_t number(std::string_view key, std::uint64_t most) {
    const auto* value = find(key, false);
    if (value == nullptr) return 0;
    const auto* number = value->if_int64();
    if (number != nullptr && *number >= 0 && static_cast<std::uint64_t>(*number) <= most) {
      return static_cast<std::uint64_t>(*number);
    }
    complain(key, fmt::format("must be a number from 0 to {}", most));
    return 0;
  }
  const json::object* object(std::string_view key, bool required) {
    const auto* value = find(key, required);
    if (value == nullptr) return nullptr;
    if (value->is_object()) return &value->as_object();
    complain(key, "must be an object");
    return nullptr;
  }
  const json::array* array(std::string_view key) {
    const auto* value = find(key, true);
    if (value == nullptr) return nullptr;
    if (value->is_array()) return &value->as_array();
    complain(key, "must be a list");
    return nullptr;
  }
  /// The first complaint is the one that counts.
  void complain(std::string_view key, std::string_view what) {
    if (wrong_.empty()) wrong_ = fmt::format("{}{} {}", where_, printable(key), what);
  }
  [[nodiscard]] std::string within(std::string_view key) const { return fmt::format("{}{}.", where_, key); }
  [[nodiscard]] std::string& wrong() { return wrong_; }

 private:
  const json::value* find(std::string_view key, bool required) {
    const auto* value = object_.if_contains(key);
    if (value == nullptr && required) complain(key, "is missing");
    return value;
  }

  const json::object& object_;
  std::string where_;
  std::string& wrong_;
};

WallTime read_time(Fields& fields, std::string_view key) {
  const auto text = fields.text(key);
  const auto time = parse_rfc3339(text);
  if (!time) fields.complain(key, "must be a time such as 2026-11-21T08:13:32.123456Z");
  return time.value_or(WallTime{});
}

/// "<a@example.org>" or "<>".
mail::ReversePath read_path(Fields& fields, std::string_view key) {
  const auto text = fields.text(key);
  if (text == "<>") return {};
  std::optional<mail::Mailbox> mailbox;
  if (text.size() > 2 && text.front() == '<' && text.back() == '>') {
    mailbox = mail::Mailbox::from_wire(std::string_view(text).substr(1, text.size() - 2));
  }
  if (!mailbox) fields.complain(key, fmt::format("must be <address> or <>, and is {}", printable(text)));
  return mailbox;
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take_dot(std::string_view& text) {
  if (!text.starts_with('.')) return false;
  text.remove_prefix(1);
  return true;
}

/// "5.1.1", or nothing at all.
mail::EnhancedStatus read_status(Fields& fields, std::string_view key) {
  constexpr std::uint16_t kMost = 999;
  const auto text = fields.text(key, false);
  mail::EnhancedStatus status;
  std::string_view rest = text;
  if (rest.empty()) return status;
  const bool fits = take_number(rest, status.status_class) && take_dot(rest) &&
                    take_number(rest, status.subject) && take_dot(rest) && take_number(rest, status.detail) &&
                    rest.empty();
  const bool known = status.status_class == 2 || status.status_class == 4 || status.status_class == 5;
  if (!fits || !known || status.subject > kMost || status.detail > kMost) {
    fields.complain(key, "must be a status such as 5.1.1");
    return {};
  }
  return status;
}

/// Text of one line that stands in notices and logs.
std::string read_line(Fields& fields, std::string_view key, std::size_t most) {
  auto text = fields.text(key, false);
  const bool is_printable = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
  if (!is_printable || text.size() > most) {
    fields.complain(key, fmt::format("must be at most {} characters of printable ASCII", most));
  }
  return text;
}

mail::RecipientOutcome read_outcome(Fields fields) {
  constexpr std::uint64_t kLeastCode = 200;
  constexpr std::uint64_t kMostCode = 599;
  fields.only({"attempted", "code", "status", "text", "said_by"});
  mail::RecipientOutcome outcome;
  outcome.attempted = read_time(fields, "attempted");
  outcome.reply.code = static_cast<mail::ReplyCode>(fields.number("code", kMostCode));
  if (outcome.reply.code < kLeastCode) fields.complain("code", "must be a reply code from 200 to 599");
  outcome.reply.status = read_status(fields, "status");
  outcome.reply.text = read_line(fields, "text", spool::kMaxReplyText);
  outcome.remote = read_line(fields, "said_by", mail::RecipientOutcome::kMaxRemote);
  return outcome;
}

ExportedRecipient read_recipient(Fields fields) {
  fields.only({"address", "state", "attempts", "last"});
  ExportedRecipient recipient;
  const auto address = fields.text("address");
  if (auto mailbox = mail::Mailbox::from_wire(address)) {
    recipient.address = std::move(*mailbox);
  } else {
    fields.complain("address", fmt::format("is not a mail address: {}", printable(address)));
  }
  const auto state = fields.text("state");
  recipient.failed = state == "failed";
  if (state != "open" && state != "failed") fields.complain("state", "must be open or failed");
  recipient.attempts = static_cast<std::uint32_t>(fields.number("attempts", UINT32_MAX));
  if (const auto* last = fields.object("last", recipient.failed)) {
    recipient.last = read_outcome({*last, fields.within("last"), fields.wrong()});
    recipient.last->disposition = recipient.failed ? mail::Disposition::failed : mail::Disposition::deferred;
  }
  return recipient;
}

std::optional<std::uint64_t> read_checksum(Fields& fields, std::string_view key) {
  if (!fields.has(key)) return {};
  constexpr int kHexadecimal = 16;
  const auto text = fields.text(key);
  std::uint64_t sum = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), sum, kHexadecimal);
  if (error != std::errc() || end != text.data() + text.size()) {
    fields.complain(key, "must be hexadecimal digits");
  }
  return sum;
}

void read_recipients(Fields& fields, ExportedEnvelope& envelope) {
  const auto* list = fields.array("recipients");
  if (list == nullptr) return;
  if (list->empty()) return fields.complain("recipients", "must name somebody");
  if (list->size() > kMaxImportedRecipients) {
    return fields.complain("recipients", fmt::format("must be at most {}", kMaxImportedRecipients));
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const auto name = fmt::format("recipients[{}]", i);
    const auto& one = (*list)[i];
    if (!one.is_object()) return fields.complain(name, "must be an object");
    envelope.recipients.push_back(read_recipient({one.as_object(), name + ".", fields.wrong()}));
  }
}

void append_recipient(JsonWriter& writer, const ExportedRecipient& recipient) {
  writer.begin_object().member("address", recipient.address.to_wire());
  writer.member("state", recipient.failed ? "failed" : "open").member("attempts", recipient.attempts);
  if (const auto& last = recipient.last) {
    writer.key("last").begin_object().member("attempted", to_rfc3339(last->attempted));
    writer.member("code", std::uint32_t{last->reply.code});
    if (last->reply.status.status_class != 0) writer.member("status", to_string(last->reply.status));
    writer.member("text", last->reply.text).member("said_by", last->remote).end_object();
  }
  writer.end_object();
}

}  // namespace

std::uint64_t content_checksum(std::string_view content) {
  return checksum(content, 0);
}

std::string to_text(const ExportedEnvelope& envelope) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().member(kVersionKey, kVersion).member("id", envelope.id);
  writer.member("reverse_path", mail::to_path(envelope.reverse_path));
  writer.member("arrived", to_rfc3339(envelope.arrival)).member("held", envelope.held);
  writer.member("warned", envelope.warned).member("eight_bit", envelope.eight_bit);
  out += '\n';
  writer.member("protocol", envelope.origin.protocol).member("client", envelope.origin.client);
  writer.member("helo", envelope.origin.helo).member("session", envelope.origin.session);
  out += '\n';
  if (envelope.octets) writer.member("octets", *envelope.octets);
  if (envelope.content) writer.member("xxh3", fmt::format("{:016x}", *envelope.content));
  writer.key("recipients").begin_array();
  for (const auto& recipient : envelope.recipients) {
    out += '\n';
    append_recipient(writer, recipient);
  }
  writer.end_array().end_object();
  return out + '\n';
}

std::expected<ExportedEnvelope, std::string> parse_envelope_file(std::string_view text) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = kMaxDepth;
  const auto value = json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return std::unexpected("is not JSON: " + error.message());
  if (!value.is_object()) return std::unexpected("must be a JSON object");
  std::string wrong;
  Fields fields(value.as_object(), "", wrong);
  if (fields.number(kVersionKey, UINT32_MAX) != kVersion) {
    return std::unexpected(fmt::format("must say \"{}\": {}", kVersionKey, kVersion));
  }
  fields.only({kVersionKey, "id", "reverse_path", "arrived", "held", "warned", "eight_bit", "protocol",
               "client", "helo", "session", "octets", "xxh3", "recipients"});
  ExportedEnvelope envelope;
  envelope.id = printable(fields.text("id", false));
  envelope.reverse_path = read_path(fields, "reverse_path");
  envelope.arrival = read_time(fields, "arrived");
  envelope.held = fields.flag("held");
  envelope.warned = fields.flag("warned");
  envelope.eight_bit = fields.flag("eight_bit");
  // Whatever a client called itself: it is for people, and no reason to refuse a message.
  const auto origin = [&](std::string_view key) {
    return printable(fields.text(key, false), kMaxOriginText);
  };
  envelope.origin = {origin("protocol"), origin("client"), origin("helo"), origin("session")};
  if (fields.has("octets")) envelope.octets = fields.number("octets", INT64_MAX);
  envelope.content = read_checksum(fields, "xxh3");
  read_recipients(fields, envelope);
  if (!wrong.empty()) return std::unexpected(std::move(wrong));
  return envelope;
}

}  // namespace sternpost::tool
