import { GrantkeepError } from './errors.js';

/**
 * Why a flow was not confirmed. In each case but `not_found` and `flow_used` nothing was connected
 * and the flow is over.
 */
export class ConfirmError extends GrantkeepError {
  /**
   * `user_mismatch`: another user came back than the one whom the token was made for.
   * `unconfirmed`: too late. `flow_used`: it was confirmed or refused before. `not_found`: no such
   * flow in this project and environment. Otherwise what failed at the app: `provider_refused`,
   * `different_account`, ...
   */
  readonly reason: string;
  /** Where the browser may be sent to read how it ended. */
  readonly redirectUri: string | undefined;
  /** With `flow_used`: the account, if this user's confirmation had connected one before. */
  readonly accountId: string | undefined;

  constructor(of: GrantkeepError) {
    super(of.message, { ...of, cause: of });
    this.name = 'ConfirmError';
    const text = (name: string): string | undefined => {
      const value = of.details?.[name];
      return typeof value === 'string' ? value : undefined;
    };
    this.reason = of.code === 'connection_failed' ? (text('reason') ?? of.code) : of.code;
    this.redirectUri = text('redirect_uri');
    this.accountId = text('account_id');
  }
}
