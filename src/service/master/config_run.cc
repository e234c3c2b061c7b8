#include "service/master/config_run.h"

#include <utility>

#include "config/request.h"
#include "runtime/channel/channel.h"
#include "runtime/slice_file.h"
#include "service/master/confinement.h"

namespace sternpost {

Result<std::unique_ptr<ConfigRun>> ConfigRun::start(boost::asio::io_context& loop, TrafficCounters& counters,
                                                    const Launcher& launcher, const ConfigSource& source,
                                                    const Confinement& confinement, int empty_root,
                                                    Done done) {
  const auto file = launcher.open_file(source.file);
  if (!file) return std::unexpected(file.error());
  const auto request = make_slice_file(encode(config::ConfigRequest{source.file, source.state_directory}));
  if (!request) return std::unexpected(request.error());
  auto launched = launcher.launch(Compartment::config);
  if (!launched) return fail_with(std::move(launched));

  std::unique_ptr<ConfigRun> run(new ConfigRun(std::move(done)));
  auto* const self = run.get();
  run->process_ = std::make_unique<Process>(
      loop, counters, Compartment::config, 0, 0, std::move(*launched),
      Process::Handlers{[self](Process&, control::FromService&& frame, std::vector<UniqueFd>& descriptors) {
                          self->on_frame(std::move(frame), descriptors);
                        },
                        [self](Process&, const std::string& how) { self->on_end(how); }});
  control::Start start;
  start.confinement = confinement;
  run->process_->send_copies(start, {request->get(), empty_root, file->get()});
  return run;
}

void ConfigRun::on_frame(control::FromService&& frame, std::vector<UniqueFd>& descriptors) {
  std::visit(
      Overloaded{[&](control::Slice& slice) {
                   if (descriptors.size() == 1) slices_[slice.row] = std::move(descriptors[0]);
                 },
                 [&](control::ConfigDone& done) {
                   finished_ = true;
                   errors_ = std::move(done.errors);
                 },
                 [&](control::Failed& failed) { errors_.push_back(std::move(failed.why)); }, [](auto&) {}},
      frame);
}

void ConfigRun::on_end(const std::string& how) {
  if (!finished_ && errors_.empty())
    errors_.push_back("the config compartment ended without an answer: " + how);
  for (const auto& row : plan()) {
    const bool wanted = row.self != Compartment::config && errors_.empty();
    if (wanted && !slices_.contains(row.self)) {
      errors_.push_back("the config compartment left out the slice of " + std::string(to_string(row.self)));
    }
  }
  if (!errors_.empty()) slices_.clear();
  auto done = std::exchange(done_, {});
  done(std::move(slices_), std::move(errors_));
}

}  // namespace sternpost
