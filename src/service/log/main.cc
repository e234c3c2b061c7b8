// log: takes structured records, writes the log and the history.
#include "service/log/log_service.h"

namespace sternpost {
namespace {

Result<std::unique_ptr<Service>> make(ServiceContext&& context) {
  const auto slice = decode<config::LogSlice>(context.slice);
  if (!slice || context.folders.size() != 1) {
    return fail(ErrorClass::internal, "log was started without its slice or its folder");
  }
  return std::make_unique<logging::LogService>(std::move(context), *slice);
}

}  // namespace
}  // namespace sternpost

int main() {
  return sternpost::run_service(
      {.self = sternpost::Compartment::log, .before_confinement = {}, .make = sternpost::make});
}
