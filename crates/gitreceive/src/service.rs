//! Git's two services.

use crate::port::GitAction;

/// Which of git's two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    UploadPack,
    ReceivePack,
}

impl Service {
    /// Reads a service's name as clients write it.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Service::UploadPack, Service::ReceivePack].into_iter().find(|service| service.name() == name)
    }

    /// The name that clients write.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Service::UploadPack => "git-upload-pack",
            Service::ReceivePack => "git-receive-pack",
        }
    }

    /// The name of git's own command.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Service::UploadPack => "upload-pack",
            Service::ReceivePack => "receive-pack",
        }
    }

    /// What somebody must be allowed to do to use it.
    pub(crate) fn action(self) -> GitAction {
        match self {
            Service::UploadPack => GitAction::Fetch,
            Service::ReceivePack => GitAction::Push,
        }
    }
}
