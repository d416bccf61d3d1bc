// A Raspberry Pi Pico, emulated whole, in lock step with the program that asks: one JSON object a line on standard input, one answer
// a line on standard output. Time passes only when it is asked to, so that whatever is measured is the same on every machine.
//
//   node pico.mjs firmware.elf
//
//   {"axes": [{"step": 2, "dir": 3, "limit": 4, "positive": 1, "position": 500, "switchAt": 0, "pressed": 0}]}
//                                  carriages: each rising edge of `step` moves one by a step; at and below `switchAt` its switch gives the level `pressed`
//   {"pins": [[22, 0]]}            drives input pins
//   {"watch": [2, 3, 14]}          records every edge of these pins
//   {"uart": "00ff"}               bytes for UART 0, hexadecimal
//   {"usb": "plug"}                plugs a host in (and powers the chip up anew); "open" and "close": a program opens its port there (DTR) or closes it
//   {"usbBytes": "00ff"}           bytes for the USB port
//   {"run": 1500}                  lets so many microseconds pass; a chip that stops (watchdog, break) ends it early
//   {"reset": "power"}             power cycle: a new chip with the same flash and carriages; "watchdog": the same, with the watchdog as its reason
//   {"peek": [address, words]}     words of memory
//   {"stack": true}                bytes of the stack that were ever written, as "stack"
//   {"poke": [address, word]}      writes one, as a disturbed program would
// Every answer: {"us": time, "uart": bytes sent, "usb": bytes sent there, "edges": [[pin, level, nanoseconds], ...], "log": bytes of the log (RTT), "stopped": why or null, "positions": [...]}
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { RP2040, USBCDC } from 'rp2040js';
import { SimulationClock } from './node_modules/rp2040js/dist/esm/clock/simulation-clock.js';

const FLASH = 0x10000000;
const RAM = 0x20000000;
const BOOT_RAM = 0x20041f00;
const CYCLE_NS = 8; // 125 MHz
const STACK_END = 0x20040000; // it grows down from here
const UNTOUCHED = 0xa5;
const RTT_UP_BUFFER = 24; // offset of the first up channel in the control block

const elf = readFileSync(process.argv[2]);

/** The ELF's loadable parts: [physical address, bytes]. */
function segments(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  if (view.getUint32(0, false) !== 0x7f454c46) throw new Error('not an ELF file');
  const [start, size, count] = [view.getUint32(28, true), view.getUint16(42, true), view.getUint16(44, true)];
  const found = [];
  for (let i = 0; i < count; i++) {
    const at = start + i * size;
    const [type, offset, , physical, length] = [0, 4, 8, 12, 16].map((field) => view.getUint32(at + field, true));
    if (type === 1 && length > 0) found.push([physical, file.subarray(offset, offset + length)]);
  }
  return found;
}

/** Address of a symbol, or null. */
function symbol(file, name) {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const [start, size, count] = [view.getUint32(32, true), view.getUint16(46, true), view.getUint16(48, true)];
  const section = (i) => [4, 16, 20, 24].map((field) => view.getUint32(start + i * size + field, true));
  for (let i = 0; i < count; i++) {
    const [type, offset, length, link] = section(i);
    if (type !== 2) continue;
    const [, names] = section(link);
    for (let at = offset; at < offset + length; at += 16) {
      const from = names + view.getUint32(at, true);
      if (file.toString('latin1', from, file.indexOf(0, from)) === name) return view.getUint32(at + 4, true);
    }
  }
  return null;
}

const rtt = symbol(elf, '_SEGGER_RTT');
let chip;
let clock;
let stopped = null;
let passed = 0; // nanoseconds before the last power cycle
let debt = 0; // a part of a cycle that the last run went too far
let feed = [];
const sent = [];
let plugged = false;
let usb = null;
let usbFeed = [];
let armed = null; // the endpoint that waits for a packet of the host
const usbSent = [];
const edges = [];
let watched = new Set();
let axes = [];
const driven = new Map();

function now() {
  return passed + clock.nanos;
}

function powerUp(reason = 0) {
  if (clock) passed += clock.nanos;
  clock = new SimulationClock();
  chip = new RP2040(clock);
  chip.logger = { debug() {}, info() {}, warn() {}, error() {} };
  chip.flash.fill(0xff);
  chip.sram.fill(UNTOUCHED);
  for (const [address, bytes] of segments(elf)) if (address >= FLASH && address < RAM) chip.flash.set(bytes, address - FLASH);
  // The boot ROM would copy the second boot stage, the first 256 bytes of flash, to RAM and jump there.
  for (let i = 0; i < 256; i++) chip.sram[BOOT_RAM - RAM + i] = chip.flash[i];
  chip.core.PC = BOOT_RAM;
  chip.core.SP = BOOT_RAM;
  chip.core.LR = 0;
  stopped = null;
  chip.onBreak = (code) => (stopped = `break ${code}`);
  const watchdog = chip.peripherals[0x40058];
  watchdog.onWatchdogTrigger = () => {
    watchdog.timer.enable = false; // or its alarm would ring for ever
    stopped = 'watchdog';
  };
  watchdog.reason = reason;
  chip.uart[0].onByte = (byte) => sent.push(byte);
  usbFeed = [];
  armed = null;
  if (plugged) {
    usb = new USBCDC(chip.usbCtrl);
    // The library answers at once, with nothing, and forgets endpoints that were ready before it knew them.
    chip.usbCtrl.onEndpointRead = (endpoint, size) => {
      if (endpoint !== 0) armed = { endpoint, size };
    };
    usb.onSerialData = (bytes) => usbSent.push(...bytes);
  }
  chip.gpio.forEach((pin, number) => pin.addListener((state, before) => edge(number, state === 1, before === 1)));
  driven.forEach((level, pin) => chip.gpio[pin].setInputValue(level !== 0));
  axes.forEach(updateSwitch);
}

function edge(pin, high, before) {
  if (high === before) return;
  if (watched.has(pin)) edges.push([pin, high ? 1 : 0, Math.round(now())]);
  if (!high) return;
  for (const axis of axes) {
    if (axis.step !== pin) continue;
    const positive = chip.gpio[axis.dir].outputValue === (axis.positive !== 0);
    axis.position += positive ? 1 : -1;
    updateSwitch(axis);
  }
}

function updateSwitch(axis) {
  const pressed = axis.position <= axis.switchAt;
  chip.gpio[axis.limit].setInputValue(pressed ? axis.pressed !== 0 : axis.pressed === 0);
}


function run(microseconds) {
  const end = clock.nanos + microseconds * 1000 - debt;
  let nextByte = clock.nanos;
  while (clock.nanos < end && stopped === null) {
    if (usbFeed.length > 0 && armed !== null) {
      const { endpoint, size } = armed;
      armed = null;
      chip.usbCtrl.endpointReadDone(endpoint, Uint8Array.from(usbFeed.splice(0, size)));
    }
    if (feed.length > 0 && clock.nanos >= nextByte) {
      chip.uart[0].feedByte(feed.shift());
      nextByte += 10e9 / (chip.uart[0].baudRate || 1e6);
    }
    if (chip.core.waiting) {
      const alarm = clock.nextAlarm ? clock.nanosToNextAlarm : Infinity;
      clock.tick(Math.max(CYCLE_NS, Math.min(alarm, end - clock.nanos, feed.length > 0 ? nextByte - clock.nanos : Infinity)));
    } else {
      clock.tick(chip.core.executeInstruction() * CYCLE_NS);
    }
  }
  debt = stopped === null ? clock.nanos - end : 0;
}

/** Bytes from the deepest one that was ever written to the beginning of the stack. Static values lie far below. */
function stack() {
  let deepest = STACK_END - 0x10000;
  while (deepest < STACK_END && chip.sram[deepest - RAM] === UNTOUCHED) deepest++;
  return STACK_END - deepest;
}

/** What the log's ring buffer holds and nobody has read. */
function log() {
  if (rtt === null) return '';
  const word = (address) => chip.sramView.getUint32(address - RAM, true);
  const channel = rtt + RTT_UP_BUFFER;
  const [buffer, size, write, read] = [4, 8, 12, 16].map((field) => word(channel + field));
  if (size === 0 || size > 65536 || write === read) return '';
  const bytes = [];
  for (let at = read; at !== write; at = (at + 1) % size) bytes.push(chip.sram[buffer - RAM + at]);
  chip.sramView.setUint32(channel + 16 - RAM, write, true);
  return Buffer.from(bytes).toString('hex');
}

function obey(command) {
  if (command.axes) {
    axes = command.axes;
    axes.forEach(updateSwitch);
  }
  for (const [pin, level] of command.pins ?? []) {
    driven.set(pin, level);
    chip.gpio[pin].setInputValue(level !== 0);
  }
  if (command.watch) watched = new Set(command.watch);
  if (command.uart) feed.push(...Buffer.from(command.uart, 'hex'));
  if (command.usb === 'plug') {
    plugged = true;
    powerUp();
  } else if (command.usb) {
    // SET_CONTROL_LINE_STATE of interface 0 (CDC PSTN 1.2, 6.3.14). What the library sends by itself names no interface, and is refused.
    chip.usbCtrl.sendSetupPacket(new Uint8Array([0x21, 0x22, command.usb === 'open' ? 1 : 0, 0, 0, 0, 0, 0]));
  }
  if (command.usbBytes) usbFeed.push(...Buffer.from(command.usbBytes, 'hex'));
  if (command.reset) powerUp(command.reset === 'watchdog' ? 1 : 0);
  if (command.poke) chip.writeUint32(command.poke[0], command.poke[1]);
  if (command.run) run(command.run);
  const answer = { us: now() / 1000, uart: Buffer.from(sent).toString('hex'), usb: Buffer.from(usbSent).toString('hex'), edges: edges.splice(0), log: log(), stopped };
  sent.length = 0;
  usbSent.length = 0;
  answer.positions = axes.map((axis) => axis.position);
  if (command.stack) answer.stack = stack();
  if (command.peek) answer.words = Array.from({ length: command.peek[1] }, (_, i) => chip.readUint32(command.peek[0] + 4 * i) >>> 0);
  return answer;
}

powerUp();
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(obey(JSON.parse(line))) + '\n');
}
