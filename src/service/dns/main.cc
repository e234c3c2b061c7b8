// dns: what does the DNS say about this name, and can it be believed?
#include "runtime/service.h"
#include "service/dns/dns_service.h"
#include "service/dns/unbound.h"

int main() {
  return sternpost::run_service({.self = sternpost::Compartment::dns,
                                 .before_confinement = sternpost::dns::warm_up_unbound,
                                 .make = sternpost::dns::DnsService::make});
}
