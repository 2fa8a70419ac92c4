// kill -9 at random moments: of a run over a file, and of a service with clients. A workspace is
// killed again and again until its stream is through; then it must stand as if nothing had been.
#include <csignal>
#include <filesystem>

#include "faults/clients.h"
#include "faults/fault_test.h"

namespace freshet {
namespace {

class Kill : public FaultTest {};

// Without ids of their own nothing but the progress kept in the log stands between events and being
// read twice; their ids are their places in the file.
TEST_F(Kill, OfARunAtRandomMomentsChangesNothing) {
  const std::string plain = write("plain.json", turning_config());
  const std::string csv = write("events.csv", joined(turning_csv(kEvents), 0, kEvents + 1));
  std::vector<std::string> places;
  for (std::size_t i = 0; i < kEvents; ++i) places.push_back(std::to_string(i));
  Tally tally("kill -9 of run, random moments");
  KeyedGenerator draw(fault_seed(), 1);
  const std::size_t wanted = tries(8, 500);
  for (std::size_t stream = 0; tally.count() < wanted; ++stream) {
    const std::string workspace = path("run" + std::to_string(stream));
    const std::string arguments = "run " + plain + " -w " + workspace + " -i " + csv;
    std::size_t kills = 0;
    while (tally.count() + kills < wanted) {
      RunningProgram program(arguments);
      if (program.ends_within(static_cast<int>(draw.below(1000)))) break;
      ++kills;
    }
    const Outcome last = freshet_program(arguments, "timeout 120");
    tally.add(last.code == 0 ? judged(plain, workspace, places) : broken(last.err), kills);
    std::filesystem::remove_all(workspace);
  }
}

/// Serves, kills, and serves again until the clients are through; gives the number of kills.
std::size_t kill_again_and_again(const std::string& arguments, Clients& clients,
                                 KeyedGenerator& draw, std::size_t most) {
  std::size_t kills = 0;
  for (; kills < most && !clients.done(); ++kills) {
    if (draw.below(4) == 0) {  // before it listens, or just then
      RunningProgram program("serve --listen 127.0.0.1:0 " + arguments);
      program.ends_within(static_cast<int>(draw.below(600)));
      continue;
    }
    ServedProgram served(arguments);
    clients.call(served);
    std::this_thread::sleep_for(std::chrono::milliseconds(draw.below(150)));
    served.kill();
    clients.hang_up();
  }
  return kills;
}

TEST_F(Kill, OfAServiceLosesNothingThatItsClientsWereTold) {
  Tally tally("kill -9 of serve with clients");
  KeyedGenerator draw(fault_seed(), 2);
  const std::size_t wanted = tries(5, 500);
  for (std::size_t stream = 0; tally.count() < wanted; ++stream) {
    const std::string workspace = path("served" + std::to_string(stream));
    const std::string arguments = config() + " -w " + workspace;
    Clients clients(events(), 20);
    const std::size_t kills = kill_again_and_again(
        arguments, clients, draw, std::min<std::size_t>(25, wanted - tally.count()));
    ServedProgram served(arguments);
    clients.call(served);
    EXPECT_TRUE(clients.done_within(60'000));
    clients.hang_up();
    EXPECT_EQ(clients.refused() + clients.late(), 0U);
    settled(served, kEvents);
    const Outcome end = served.stop();
    EXPECT_EQ(end.code, 0) << end.err;
    tally.add(judged(config(), workspace, clients.acknowledged()), kills);
    std::filesystem::remove_all(workspace);
  }
}

}  // namespace
}  // namespace freshet
