import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAddress, isPrivateAddress } from './address.ts'

const privateOnes = `
  0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255
  192.0.0.8 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255
  240.0.0.1 255.255.255.255
  :: ::1 ::7f00:1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.1.2.3 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::a00:1 64:ff9b:1::1
  64:ff9b:1::808:808 100::1 2001::1 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:a00:1::1 2002:c0a8:101:: 3fff::1 5f00::1 fc00::1 fd12:3456::1
  fe80::1 fe80::1%eth0 fec0::1 ff02::1 4000::1 e000::1
  0x7f.1 0x7f000001 2130706433 017700000001 0177.0.0.1 127.1 127.0.0.1. [::1] [::ffff:127.0.0.1] 0
  localhost example.com 300.1.1.1 1.2.3.4.5 ::g`.trim().split(/\s+/)

const publicOnes = `
  1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.1.1 169.255.1.1 172.15.255.255 172.32.0.1 192.0.1.1 192.167.1.1 192.169.1.1
  198.17.255.255 198.20.0.1 203.0.112.1 223.255.255.254 2606:4700::1111 2a00:1450:4001:81b::200e [2606:4700::1111] 134744072
  ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1`.trim().split(/\s+/)

test('what is not public unicast is private, in every notation', () => {
  assert.deepEqual(privateOnes.filter(address => !isPrivateAddress(address)), [])
})

test('public addresses are public, also inside an IPv6 carrier', () => {
  assert.deepEqual(publicOnes.filter(isPrivateAddress), [])
})

test('nothing at all is private', () => assert.equal(isPrivateAddress(''), true))

test('Teredo is as private as the client inside it', () => {
  const teredo = (client: number[]) => `2001:0:4136:e378:8000:63bf:${client.map(byte => (byte ^ 0xff).toString(16).padStart(2, '0')).join('').replace(/(....)(....)/, '$1:$2')}`
  assert.equal(isPrivateAddress(teredo([192, 168, 1, 1])), true)
  assert.equal(isPrivateAddress(teredo([8, 8, 8, 8])), false)
})

test('a name is no address', () => {
  assert.deepEqual(['localhost', 'a.b', '', '127.0.0.1', '[::1]', '2130706433', '0x7f.1'].map(isAddress), [false, false, false, true, true, true, true])
})
