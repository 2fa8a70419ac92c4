#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/backtest_run.h"
#include "orchestrator/cli.h"
#include "orchestrator/command_support.h"
#include "orchestrator/progress.h"
#include "orchestrator/run.h"
#include "orchestrator/terminal.h"

namespace freshet {

using nlohmann::json;

namespace {

struct BacktestArguments {
  std::string workspace;
  std::string pipeline;
  BacktestRequest request;
  std::string rows;
  bool list = false;
  bool json = false;
};

std::optional<std::uint64_t> row_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// What is wrong with `--rows`; empty if nothing is.
std::string read_rows(const std::string& text, BacktestRequest& request) {
  const std::size_t colon = text.find(':');
  const std::string begin = text.substr(0, colon);
  const std::string end = colon == std::string::npos ? "" : text.substr(colon + 1);
  request.begin = row_number(begin);
  request.end = row_number(end);
  const bool whole = colon != std::string::npos && (begin.empty() || request.begin) &&
                     (end.empty() || request.end);
  if (whole && (!request.begin || !request.end || *request.begin < *request.end)) return "";
  return fmt::format(
      "--rows {}: expected A:B, the row numbers from A on and below B, as 10000:30000; either may "
      "be left out",
      text);
}

std::string metrics_line(const std::string& name, const json& metrics) {
  std::string line = fmt::format("  {:<12}", name);
  for (const auto& [metric, value] : metrics.items()) {
    line += fmt::format(" {} {:.4f}", metric, value.get<double>());
  }
  return line + "\n";
}

std::string text_of(const json& r) {
  std::string text =
      fmt::format("version {} against {} on rows [{}, {}): {} replayed, {} counted\n",
                  r["candidate"].dump(), r["champion"].dump(), r["rows"][0].dump(),
                  r["rows"][1].dump(), r["replayed_rows"].dump(), r["counted_rows"].dump());
  text += metrics_line("candidate", r["metrics"]["candidate"]);
  text += metrics_line("champion", r["metrics"]["champion"]);
  for (const auto& [name, metrics] : r["metrics"]["baselines"].items()) {
    text += metrics_line(name, metrics);
  }
  return text + r["sentence"].get<std::string>() +
         "\nA report: nothing was decided, and it is no evidence for a promotion.\n";
}

int list(const BacktestArguments& a, const Workspace& workspace, const std::string& pipeline) {
  const std::string path = workspace.backtests_path(pipeline);
  std::vector<BacktestRecord> kept;
  if (std::filesystem::exists(path)) kept = BacktestStore::open_reader(path)->list();
  json all = json::array();
  for (const BacktestRecord& record : kept) {
    json report = json::parse(record.report);
    report.erase("series");
    all.push_back(std::move(report));
  }
  if (a.json) {
    fmt::print("{}\n", all.dump(2));
    return kDone;
  }
  for (const json& r : all) {
    fmt::print("{}  {} against {}  rows [{}, {})  {:<12} {}\n",
               r["id"].get<std::string>().substr(0, 12), r["candidate"].dump(),
               r["champion"].dump(), r["rows"][0].dump(), r["rows"][1].dump(),
               r["verdict"].get<std::string>(), r["sentence"].get<std::string>());
  }
  if (all.empty()) say("no backtest was made yet\n");
  return kDone;
}

void show(ProgressLine& line, const BacktestRun& run, std::uint64_t first) {
  const auto done = static_cast<double>(run.question() - first);
  const double rate = done / line.seconds();
  std::string text = fmt::format("question {} of {}  {:.0f} questions/s", run.question(),
                                 run.last_question(), rate);
  if (rate > 0) {
    text += fmt::format("  {:.0f} s left",
                        static_cast<double>(run.last_question() - run.question()) / rate);
  }
  const EvaluationFigures figures = run.backtest().figures();
  text += fmt::format("  {} counted  difference {:.4f}  ln evidence {:.2f} of {:.2f}",
                      figures.counted_rows, figures.mean_difference, figures.log_evidence,
                      figures.log_threshold);
  line.show(text);
}

int backtest(const BacktestArguments& a) {
  Workspace workspace = read_workspace(a.workspace);
  const std::string pipeline = choose_pipeline(workspace.registry(), a.pipeline);
  if (a.list) return list(a, workspace, pipeline);
  BacktestRun run(workspace, pipeline, a.request);
  ProgressLine line(isatty(STDERR_FILENO) != 0);
  const std::uint64_t first = run.question();
  auto saved = std::chrono::steady_clock::now();
  while (!stop_requested && run.advance()) {
    if (line.due()) show(line, run, first);
    const auto now = std::chrono::steady_clock::now();
    if (now - saved < std::chrono::seconds(2)) continue;
    run.save();
    saved = now;
  }
  run.save();
  line.finish();
  const json report = run.report();
  if (report["verdict"] == "running") {
    say("stopped at question {} of {}: all is kept; the same command goes on\n", run.question(),
        run.last_question());
  }
  fmt::print("{}", a.json ? report.dump(2) + "\n" : text_of(report));
  return kDone;
}

}  // namespace

void add_backtest_command(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand(
      "backtest",
      "Compares two versions over recorded rows as an evaluation would have: a report, no "
      "evidence. Asked again, it goes on where it stopped");
  const auto a = std::make_shared<BacktestArguments>();
  command->add_option("-w,--workspace", a->workspace, "The workspace's folder")->required();
  command->add_option("-p,--pipeline", a->pipeline, "Which pipeline, if there are several");
  auto* candidate = command->add_option("--candidate", a->request.candidate, "A version's number")
                        ->check(check_version_number);
  auto* champion =
      command->add_option("--champion", a->request.champion, "The version it is compared with")
          ->check(check_version_number);
  command->add_option("--rows", a->rows,
                      "Row numbers A:B, B not among them (default: from the first that both may "
                      "honestly answer to the newest)");
  auto* listed = command->add_flag("--list", a->list, "The backtests made so far");
  command->add_flag("--json", a->json,
                    "One object: candidate, champion, rows, replayed_rows, counted_rows, "
                    "calibration_rows, answers, metrics, verdict (promote, reject, inconclusive, "
                    "undecided, running), reason, "
                    "sentence, figures, policy, series, resumed_from");
  command->callback([=, &chosen] {
    if (listed->count() == 0) {
      for (const CLI::Option* side : {candidate, champion}) {
        if (side->count() == 0) throw CLI::RequiredError(side->get_name());
      }
    }
    if (!a->rows.empty()) {
      const std::string wrong = read_rows(a->rows, a->request);
      if (!wrong.empty()) throw CLI::ValidationError(wrong);
    }
    chosen = [=] { return backtest(*a); };
  });
}

}  // namespace freshet
