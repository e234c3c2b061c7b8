// virtual: delivers to Maildirs that one uid owns.
#include "runtime/service.h"
#include "service/virtual/virtual_service.h"

int main() {
  return sternpost::run_service({.self = sternpost::Compartment::virtual_mailbox,
                                 .before_confinement = {},
                                 .make = sternpost::virtual_mailbox::VirtualService::make});
}
