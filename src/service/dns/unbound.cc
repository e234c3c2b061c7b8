#include "service/dns/unbound.h"

#include <arpa/nameser.h>
#include <fmt/format.h>
#include <unbound.h>

#include <algorithm>
#include <array>
#include <utility>

namespace sternpost::dns {
namespace {

struct Option {
  const char* name;
  const char* value;
};

/// What does not depend on the configuration. Whatever stands in no list keeps libunbound's default, which
/// for everything that validates is what its authors recommend.
constexpr auto kOptions = std::to_array<Option>({
    {"use-syslog:", "no"},
    {"module-config:", "validator iterator"},
    // A packet that is never fragmented on its way (RFC 9715); what is larger comes by TCP.
    {"edns-buffer-size:", "1232"},
    // The filter lets nothing be sent to an address.
    {"udp-connect:", "yes"},
    {"qname-minimisation:", "yes"},
    {"harden-glue:", "yes"},
    {"harden-dnssec-stripped:", "yes"},
    {"harden-below-nxdomain:", "yes"},
    {"aggressive-nsec:", "yes"},
    {"use-caps-for-id:", "no"},
    {"minimal-responses:", "yes"},
    {"rrset-roundrobin:", "no"},  // answers are sorted
    {"serve-expired:", "no"},
    {"prefetch:", "no"},  // nothing wakes us that nobody asked for
    {"prefetch-key:", "no"},
    {"trust-anchor-signaling:", "no"},
    {"target-fetch-policy:", "3 2 1 0 0"},
    // One thread, so nothing to spread locks over.
    {"msg-cache-slabs:", "1"},
    {"rrset-cache-slabs:", "1"},
    {"infra-cache-slabs:", "1"},
    {"key-cache-slabs:", "1"},
    // Sockets: one for each question, so that none waits behind those to servers that do not answer, and
    // together well below the descriptors of the row.
    {"outgoing-range:", "2048"},
    {"outgoing-num-tcp:", "32"},
    {"incoming-num-tcp:", "0"},
    // Twice kMostQuestions: answering one may take others, such as for the keys of its zone.
    {"num-queries-per-thread:", "4096"},
});

/// Octets that libunbound takes for what it remembers of one server.
constexpr std::uint64_t kServerMemory = 512;

std::string endpoint_text(const config::Listener& server) {
  return fmt::format("{}@{}", server.address, server.port);
}

bool is_loopback(const config::Listener& server) {
  return server.address.starts_with("127.") || server.address == "::1";
}

}  // namespace

Result<std::unique_ptr<Unbound>> Unbound::make(boost::asio::io_context& loop,
                                               const UnboundSettings& settings) {
  std::unique_ptr<Unbound> made(new Unbound(loop));
  made->context_ = ::ub_ctx_create_ub_event(made->base_.get());
  if (made->context_ == nullptr) return fail(ErrorClass::internal, "libunbound has no memory");
  if (auto done = made->configure(settings); !done) return fail_with(std::move(done));
  // The first question makes the context final: that "localhost" is answered without asking anyone shows
  // that libunbound took all of it. An invalid trust anchor is found here.
  int rcode = -1;
  made->ask("localhost", RecordType::a, [&](const RawAnswer& answer) { rcode = answer.rcode; });
  if (rcode == 0) return made;
  return fail(
      ErrorClass::permanent,
      "libunbound refuses the configuration; dns.trust_anchor must name a file of DS or DNSKEY records");
}

Result<void> Unbound::set(const char* option, const std::string& value) {
  const int error = ::ub_ctx_set_option(context_, option, value.c_str());
  if (error == 0) return {};
  return fail(ErrorClass::internal,
              fmt::format("libunbound refuses {} {}: {}", option, value, ::ub_strerror(error)));
}

Result<void> Unbound::configure(const UnboundSettings& settings) {
  ::ub_ctx_debugout(context_, nullptr);
  ::ub_ctx_debuglevel(context_, 0);
  for (const auto& option : kOptions) {
    if (auto done = set(option.name, option.value); !done) return done;
  }
  const auto share = [&](std::uint64_t part) { return std::to_string(settings.cache_bytes / part); };
  for (const auto& [option, value] :
       {std::pair("rrset-cache-size:", share(2)), std::pair("msg-cache-size:", share(4)),
        std::pair("key-cache-size:", share(8)), std::pair("neg-cache-size:", share(16)),
        std::pair("infra-cache-numhosts:", share(16 * kServerMemory))}) {
    if (auto done = set(option, value); !done) return done;
  }
  if (std::ranges::any_of(settings.servers, is_loopback)) {
    if (auto done = set("do-not-query-localhost:", "no"); !done) return done;
  }
  for (const auto& server : settings.servers) {
    if (::ub_ctx_set_fwd(context_, endpoint_text(server).c_str()) != 0)
      return fail(ErrorClass::permanent, "dns.servers: libunbound refuses " + endpoint_text(server));
  }
  for (const auto& record : settings.trust_anchor) {
    if (::ub_ctx_add_ta(context_, record.c_str()) != 0)
      return fail(ErrorClass::permanent, "dns.trust_anchor: libunbound refuses a record");
  }
  return {};
}

Unbound::~Unbound() {
  // Deleting the context answers what is open as SERVFAIL.
  for (auto& [number, open] : open_) open.done = nullptr;
  if (context_ != nullptr) ::ub_ctx_delete(context_);
}

void Unbound::ask(const std::string& name, RecordType type, Done done) {
  const auto number = next_++;
  auto question = std::make_unique<Question>(Question{this, number});
  auto* const argument = question.get();
  open_.emplace(number, Open{std::move(question), std::move(done)});
  const int error = ::ub_resolve_event(context_, name.c_str(), static_cast<int>(type), ns_c_in, argument,
                                       &Unbound::on_answer, nullptr);
  if (error != 0) finish(number, {.rcode = ns_r_servfail});
}

void Unbound::on_answer(void* argument, int rcode, void* packet, int size, int security, char* why_bogus,
                        int /*was_ratelimited*/) {
  const auto& question = *static_cast<const Question*>(argument);
  RawAnswer answer{.rcode = rcode};
  if (packet != nullptr && size > 0)
    answer.packet = {static_cast<const char*>(packet), static_cast<std::size_t>(size)};
  if (security >= 0 && security <= 2) answer.security = static_cast<Security>(security);
  if (why_bogus != nullptr) answer.why_bogus = why_bogus;
  question.owner->finish(question.number, answer);
}

void Unbound::finish(std::uint64_t number, const RawAnswer& answer) {
  const auto open = open_.extract(number);
  if (!open.empty() && open.mapped().done) open.mapped().done(answer);
}

Result<void> warm_up_unbound() {
  boost::asio::io_context loop;
  constexpr std::uint64_t kSmallCache = 1024 * 1024;
  auto made = Unbound::make(loop, {.servers = {}, .trust_anchor = {}, .cache_bytes = kSmallCache});
  if (!made) return fail_with(std::move(made));
  return {};
}

}  // namespace sternpost::dns
