//! A broker, by rumqttc.

use crate::error::{Error, one_line};
use crate::interrupt::Interrupt;
use crate::output::NOTICE;
use crate::session::{FieldRecord, Outbox, SessionRecord};
use rumqttc::{Client, Connection, Event, MqttOptions, Outgoing, Packet, QoS, RecvTimeoutError};
use serde_json::{Value, json};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Port where none is named.
const PORT: u16 = 1883;
/// Between two signs of life.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How often is looked whether to stop, and for new fields.
const LOOK: Duration = Duration::from_millis(50);
/// After a broker that does not answer.
const AGAIN: Duration = Duration::from_secs(1);
/// How long fields that are left may take when the program ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// A broker, and the topic of this device's fields.
pub struct Broker {
    name: String,
    topic: String,
    client: Client,
    connection: Connection,
}

impl Broker {
    /// `HOST` or `HOST:PORT`; nothing is sent yet. Name and password come from `LSR_MQTT_USER` and `LSR_MQTT_PASSWORD`.
    ///
    /// # Errors
    /// [`Error::Source`] for no address, and for a topic that cannot be published to.
    pub fn new(address: &str, topic: String) -> Result<Self, Error> {
        let bad = |reason: &str| Error::Source { source_name: format!("--mqtt {address}"), reason: reason.to_owned() };
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| bad("expected HOST or HOST:PORT"))?),
            None => (address, PORT),
        };
        if host.is_empty() {
            return Err(bad("expected HOST or HOST:PORT"));
        }
        if topic.is_empty() || topic.contains(['+', '#', '\0']) {
            return Err(bad("the topic: expected one without '+' and '#'"));
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| bad(&error.to_string()))?;
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut options = MqttOptions::new(format!("lsr-edge-{id}"), host, port);
        options.set_keep_alive(KEEP_ALIVE);
        if let (Ok(user), Ok(password)) = (std::env::var("LSR_MQTT_USER"), std::env::var("LSR_MQTT_PASSWORD")) {
            options.set_credentials(user, password);
        }
        let (client, connection) = Client::new(options, 4);
        Ok(Self { name: format!("{host}:{port}"), topic, client, connection })
    }

    /// Tells the fields of a store's outbox until a stop is asked for, and those that are left then for a moment longer. `tell` hears when the broker goes and comes.
    ///
    /// # Errors
    /// [`Error::Store`]. A broker that does not answer is no error.
    pub fn tell_fields(mut self, folder: &Path, interrupt: &Interrupt, tell: &dyn Fn(&str)) -> Result<(), Error> {
        let outbox = Outbox::open(folder)?;
        let mut on_its_way: Option<(String, u64)> = None;
        let mut is_there: Option<bool> = None;
        let mut end: Option<Instant> = None;
        loop {
            if interrupt.is_set() {
                let end = *end.get_or_insert_with(|| Instant::now() + FAREWELL);
                if Instant::now() > end || is_there != Some(true) || (on_its_way.is_none() && outbox.waiting()? == 0) {
                    break;
                }
            }
            if on_its_way.is_none()
                && let Some((session, field)) = outbox.next()?
                && self.client.try_publish(&self.topic, QoS::AtLeastOnce, false, summary(&session, &field).to_string()).is_ok()
            {
                on_its_way = Some((field.session, field.number));
            }
            match self.connection.recv_timeout(LOOK) {
                Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                    if is_there.replace(true) != Some(true) {
                        tell(&format!("fields are told to {}, topic {}", self.name, self.topic));
                    }
                }
                Ok(Ok(Event::Incoming(Packet::PubAck(_)))) => {
                    if let Some((session, number)) = on_its_way.take() {
                        outbox.taken(&session, number)?;
                    }
                }
                Ok(Ok(Event::Outgoing(Outgoing::Disconnect))) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(Ok(_)) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Err(error)) => {
                    if is_there.replace(false) != Some(false) {
                        tell(&format!("the broker {} does not answer ({}): fields wait in the store", self.name, one_line(&error)));
                    }
                    let until = Instant::now() + AGAIN;
                    while Instant::now() < until && !interrupt.is_set() {
                        sleep(LOOK);
                    }
                }
            }
        }
        let _ = self.client.try_disconnect();
        let _ = self.connection.recv_timeout(LOOK);
        Ok(())
    }
}

/// What is told of a field.
fn summary(session: &SessionRecord, field: &FieldRecord) -> Value {
    json!({
        "id": format!("{}/{}", field.session, field.number),
        "device": session.device,
        "session": field.session,
        "number": field.number,
        "name": field.name,
        "seen_utc": field.seen_utc,
        "position": field.position,
        "um_per_px": field.um_per_px,
        "cancer": field.cancer,
        "pixels": field.pixels,
        "sum": field.sum,
        "sum_of_squares": field.sum_of_squares,
        "fit": field.quality.fit,
        "unfit": field.quality.unfit,
        "label": field.label,
        "z_score": field.z_score,
        "alarm": field.alarm,
        "model_sha256": field.model_sha256,
        "lsr_edge": field.lsr_edge,
        "notice": NOTICE,
    })
}
