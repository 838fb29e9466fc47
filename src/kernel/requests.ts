import { BadInput } from '../base/core/index.js';
import { type Completion, completeReply, utf16Offset } from './code-points.js';
import type { CommTable } from './comm-table.js';
import type { History } from './history.js';
import { kernelInfo } from './info.js';
import type { Executor } from './process.js';
import type { Message } from './wire.js';

/** What {@link answer} needs of the kernel. */
export interface Desk {
  executor: Pick<Executor, 'request'>;
  history: Pick<History, 'query'>;
  comms: Pick<CommTable, 'info' | 'receive'>;
  interrupt(): void;
  stop(): Promise<void>;
}

/**
 * The reply's content to any message but an `execute_request`; undefined for messages without a reply. Rejects where the reply is an
 * error.
 */
export async function answer(message: Message, { executor, history, comms, interrupt, stop }: Desk): Promise<object | undefined> {
  const type = message.header.msg_type;
  const { content } = message;
  const code = String(content.code ?? '');
  switch (type) {
    case 'kernel_info_request':
      return kernelInfo();
    case 'history_request':
      return { status: 'ok', history: history.query(content) };
    case 'comm_info_request':
      return { status: 'ok', comms: comms.info(content.target_name) };
    case 'comm_open':
    case 'comm_msg':
    case 'comm_close':
      await comms.receive(type, message);
      return undefined;
    case 'is_complete_request':
      return (await executor.request({ type: 'isComplete', code })) as object;
    case 'complete_request': {
      const position = utf16Offset(code, content.cursor_pos);
      return completeReply(code, (await executor.request({ type: 'complete', code, position })) as Completion);
    }
    case 'inspect_request': {
      const position = utf16Offset(code, content.cursor_pos);
      const detail = content.detail_level === 1 ? 1 : 0;
      return (await executor.request({ type: 'inspect', code, position, detail })) as object;
    }
    case 'interrupt_request':
      interrupt();
      return { status: 'ok' };
    case 'shutdown_request':
      await stop();
      return { status: 'ok', restart: content.restart === true };
    case 'debug_request':
      // The reply is a message of the debug adapter protocol.
      return {
        type: 'response',
        request_seq: content.seq,
        command: content.command,
        success: false,
        message: 'This kernel has no debugger.',
      };
    default:
      // Somebody waits for the answer to a request; other messages need none.
      if (type.endsWith('_request')) throw new BadInput({ problem: 'this kernel does not know such requests', found: type });
      return undefined;
  }
}
