// vlm.v1.Fleet: sessions and report streams as callback reactors, checkpoints as sync streams.
#pragma once

#include "server/rpc/checkpoint_files.h"
#include "server/rpc/hub.h"
#include "vlm/v1/fleet.grpc.pb.h"

namespace vlm::rpc {

using FleetBase =
    v1::Fleet::WithCallbackMethod_Attach<v1::Fleet::WithCallbackMethod_Report<v1::Fleet::Service>>;

class FleetService final : public FleetBase {
 public:
  FleetService(server::Engine* engine, Hub* hub, const CheckpointFiles* files)
      : engine_(engine), hub_(hub), files_(files) {}

  grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* Attach(
      grpc::CallbackServerContext*) override;
  grpc::ServerBidiReactor<v1::ReportBatch, v1::ReportAck>* Report(
      grpc::CallbackServerContext*) override;
  grpc::Status UploadCheckpoint(grpc::ServerContext*,
                                grpc::ServerReader<v1::UploadCheckpointRequest>* reader,
                                v1::UploadCheckpointResponse* response) override;
  grpc::Status DownloadCheckpoint(
      grpc::ServerContext*, const v1::DownloadCheckpointRequest* request,
      grpc::ServerWriter<v1::DownloadCheckpointResponse>* writer) override;

 private:
  server::Engine* engine_;
  Hub* hub_;
  const CheckpointFiles* files_;
};

}  // namespace vlm::rpc
