// A trainer that an agent started: warm up, say hello, wait for one launch, train, report, end.
#pragma once

namespace vlm::trainer {

// Returns the exit code: 0 when an outcome (of any kind) was sent or no launch came, 1 when the
// socket to the agent is unusable. Ends the process with kExitAgentGone if the agent goes away.
int RunUnderAgent();

}  // namespace vlm::trainer
