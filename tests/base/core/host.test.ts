import { afterEach, describe, expect, it } from 'vitest';
import { type Host, host, isViewable, renderer, setHost, setRenderer, shield, VIEW } from '../../../src/base/core/index.js';

afterEach(() => setHost(undefined));

describe('host', () => {
  it('shield is a plain call without a host and goes through the host with one', () => {
    expect(host()).toBeUndefined();
    expect(shield(() => 5)).toBe(5);
    const calls: string[] = [];
    const fake = {
      shield<T>(section: () => T): T {
        calls.push('in');
        return section();
      },
    } as Host;
    setHost(fake);
    expect(shield(() => 6)).toBe(6);
    expect(calls).toEqual(['in']);
  });
});

describe('view', () => {
  it('recognises objects that describe themselves', () => {
    expect(isViewable({ [VIEW]: () => ({ kind: 'x', data: 1 }) })).toBe(true);
    for (const value of [null, undefined, 3, 'x', {}]) expect(isViewable(value)).toBe(false);
  });

  it('hands the renderer from show to the kernel', async () => {
    setRenderer(async value => ({ 'text/plain': String(value) }));
    expect(await renderer()?.(3)).toEqual({ 'text/plain': '3' });
  });
});
