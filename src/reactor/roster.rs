//! Who is in the loop: connections come in, are counted, change what they wait for, and go.

use super::*;
use crate::events::EVENT_WRITE;
use crate::selector::SelectorKey;

impl<P: Protocol, B: Backend> Reactor<P, B> {
    pub(super) fn admit(&mut self, socket: Socket, protocol: P, kind: Kind) -> io::Result<Key> {
        let connection = Connection::open(protocol, kind, self.desk.shared.now);
        let key = self.register(socket, EVENT_READ, connection).map_err(|(_, error)| error)?;
        if let Some((socket, Entry::Connection(connection))) = self.selector.get_mut(key) {
            let next = connection.start(socket, key, &mut self.desk.shared);
            self.act(key, next);
        }
        Ok(key)
    }

    fn register(&mut self, socket: Socket, events: Events, connection: Connection<P>) -> Result<Key, (P, io::Error)> {
        let kind = connection.kind();
        match self.selector.register(socket, events, Entry::Connection(connection)) {
            Ok(key) => {
                if kind != Kind::Adopted {
                    self.desk.shared.stats.connections += 1;
                    self.starved.refusing += usize::from(kind == Kind::Refused);
                    self.tick_on(true);
                }
                Ok(key)
            }
            Err(refused) => match refused.data {
                Entry::Connection(connection) => Err((connection.protocol, refused.kind.into())),
                Entry::Listener(_) | Entry::Ticker => unreachable!("a connection was registered"),
            },
        }
    }

    /// What is counted for a registration that has ended.
    fn uncount(&mut self, removed: &SelectorKey<Socket, Entry<P>>) {
        let Entry::Connection(connection) = removed.data() else { return };
        let stats = &mut self.desk.shared.stats;
        stats.held -= connection.counted();
        if connection.kind() != Kind::Adopted {
            stats.connections -= 1;
            self.starved.refusing -= usize::from(connection.kind() == Kind::Refused);
        }
    }

    pub(super) fn attempt(&mut self, mut dialing: Box<Dialing>, protocol: P) -> Result<Key, (P, io::Error)> {
        let socket = match dialing.attempt() {
            Ok(socket) => socket,
            Err(error) => return Err((protocol, error)),
        };
        let connection = Connection::dialing(protocol, dialing, self.desk.shared.now);
        self.register(socket, EVENT_WRITE, connection)
    }

    /// Does with a connection what it wants next.
    #[inline(never)]
    pub(super) fn act(&mut self, key: Key, next: Next) {
        match next {
            Next::Same => {}
            Next::Watch => self.watch(key),
            Next::Remove => self.remove(key),
            Next::Redial => self.redial(key),
        }
    }

    fn watch(&mut self, key: Key) {
        let Some((_, Entry::Connection(connection))) = self.selector.get_mut(key) else { return };
        let wants = connection.interest;
        if let Err(refused) = self.selector.modify(key, wants)
            && let Some(removed) = refused.removed
        {
            self.uncount(&removed);
            let (_, Entry::Connection(mut connection)) = removed.into_parts() else { return };
            connection.protocol.failed(refused.kind.into());
            self.freed();
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        if let Some(removed) = self.selector.unregister(key) {
            self.uncount(&removed);
        }
        self.freed();
    }

    /// A descriptor of our own was closed.
    fn freed(&mut self) {
        self.look_up = true;
        self.starved.freed();
    }

    fn redial(&mut self, key: Key) {
        let Some(removed) = self.selector.unregister(key) else { return };
        self.uncount(&removed);
        let (socket, Entry::Connection(connection)) = removed.into_parts() else { return };
        // First, so that the next attempt can have its descriptor.
        drop(socket);
        let Some((dialing, protocol)) = connection.into_dialing() else { return };
        if let Err((mut protocol, error)) = self.attempt(dialing, protocol) {
            self.desk.shared.stats.fail(&error);
            protocol.failed(error);
            self.freed();
        }
    }
}
