// config: parses the configuration, answers one sealed slice for each compartment, and ends.
#include <boost/asio/post.hpp>

#include "runtime/service.h"
#include "runtime/slice_file.h"
#include "service/config/answer.h"

namespace sternpost {
namespace {

class ConfigService final : public Service {
 public:
  ConfigService(ServiceContext&& context, config::ConfigRequest request)
      : context_(std::move(context)), request_(std::move(request)) {
    // Ready goes out first; then this.
    boost::asio::post(context_.loop, [this] { run(); });
  }

  void peer(Compartment, std::uint32_t, UniqueFd) override {}
  void drain(bool) override { context_.exit(); }

 private:
  void run() {
    auto errors = send_slices();
    context_.tell_master(control::ConfigDone{std::move(errors)});
    context_.exit();
  }

  std::vector<std::string> send_slices() {
    const auto text = config::read_file(context_.folders[0].get());
    if (!text) return {text.error().text};
    auto answer = config::answer(request_, *text);
    for (const auto& [row, slice] : answer.slices) {
      auto file = make_slice_file(slice);
      if (!file) return {file.error().text};
      context_.tell_master_with(control::Slice{row}, to_shared(std::move(*file)));
    }
    return std::move(answer.errors);
  }

  ServiceContext context_;
  config::ConfigRequest request_;
};

Result<std::unique_ptr<Service>> make(ServiceContext&& context) {
  auto request = decode<config::ConfigRequest>(context.slice);
  if (!request || context.folders.size() != 1) {
    return fail(ErrorClass::internal, "config was started without a request or a file");
  }
  return std::make_unique<ConfigService>(std::move(context), std::move(*request));
}

}  // namespace
}  // namespace sternpost

int main() {
  return sternpost::run_service(
      {.self = sternpost::Compartment::config, .before_confinement = {}, .make = sternpost::make});
}
